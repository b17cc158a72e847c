"""ARGS (Khanov et al. 2024): a reward model of whole answers, asked at every token of an answer that grows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operant.card import Card, Claim, Method
from operant.decoding.prefix import PrefixGuided
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import require
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products


@dataclass(frozen=True, kw_only=True)
class Config:
    top_k: int = 10  # arXiv:2402.01694, sec. 4
    weight: float = 1.5

    def __post_init__(self) -> None:
        require(self.top_k >= 1, "top_k", self.top_k, "at least 1")


def run(config: Config, bench: Bench) -> Products:
    base: Any = bench.base
    scorer: Any = bench.proxy
    return Products(generator=PrefixGuided(base, scorer, top_k=config.top_k, weight=config.weight))


def load(config: Config, directory: Path, base: Policy) -> Products:
    parts = directory / "generator"
    steered = LanguageModel.load(parts / "base", loading_of(base))
    scorer = RewardModel.load(parts / "scorer")
    return Products(generator=PrefixGuided(steered, scorer, top_k=config.top_k, weight=config.weight))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="args",
        family="reference",
        kind="method",
        paper="arXiv:2402.01694",
        title="ARGS: alignment as reward-guided search",
        claims=(Claim("reviews", "quality", "up", against="base", smallest=0.1),),
        baselines=("base",),
        needs=("bradley-terry",),
        search={"weight": (1.5, 0.5, 3.0, 0.25)},
        differs=(
            "a token is drawn from the weighed candidates at the temperature of the comparison; greedy at 0",
            "log-probabilities stand in for the released code's raw logits, which differ by an offset a position",
        ),
    ),
)
