"""Best of n: the answer that the proxy likes most, out of n of the base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from operant.card import Card, Claim, Method
from operant.decoding.best_of import BestOf
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import require
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products


@dataclass(frozen=True, kw_only=True)
class Config:
    n: int = 16

    def __post_init__(self) -> None:
        require(self.n >= 1, "n", self.n, "at least 1")


def run(config: Config, bench: Bench) -> Products:
    return Products(generator=BestOf(bench.base, bench.proxy, n=config.n))


def load(config: Config, directory: Path, base: Policy) -> Products:
    parts = directory / "generator"
    scorer = RewardModel.load(parts / "scorer")
    return Products(generator=BestOf(LanguageModel.load(parts / "base", loading_of(base)), scorer, n=config.n))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="best-of-n",
        family="reference",
        kind="method",
        paper="",
        title="Best of n by the proxy",
        claims=(Claim("reviews", "quality", "up", against="base", smallest=0.1),),
        baselines=("base",),
        needs=("bradley-terry",),
    ),
)
