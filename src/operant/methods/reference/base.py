"""The base model as it is: what every other row is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from operant.card import Card, Method
from operant.schema import Bench, Policy, Products


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


def run(config: Config, bench: Bench) -> Products:
    assert config is not None
    return Products(generator=bench.base)


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and directory is not None
    return Products(generator=base)


METHOD = Method(
    Config,
    run,
    load,
    Card(slug="base", family="reference", kind="model", paper="", title="The base model, unconditioned"),
)
