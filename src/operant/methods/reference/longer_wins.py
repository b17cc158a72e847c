"""The judge that prefers the longer answer: what a reward model has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from operant.card import Card, Method
from operant.rewards.judges import LongerWins
from operant.schema import Bench, Policy, Products


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


def run(config: Config, bench: Bench) -> Products:
    assert config is not None and bench is not None
    return Products(scorer=LongerWins())


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and directory is not None and base is not None
    return Products(scorer=LongerWins())


METHOD = Method(
    Config,
    run,
    load,
    Card(slug="longer-wins", family="reference", kind="model", paper="", title="The longer answer wins"),
)
