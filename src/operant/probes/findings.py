"""Findings that say how far they can be trusted: how often their own test sees an effect of a known size, and one
that is not there.

The evidence is made of the run's own data: effects are taken out, known ones are planted, and the test is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from operant.disk import read_json
from operant.schema import Finding, Policy, Products
from operant.stats.controls import Rate, rate
from operant.stats.crossed import Contrast, Trials
from operant.stats.differences import LEVEL

FILE = "product.json"  # where a comparison writes what a method handed over
RUNS = 1000  # planted and empty tables each; a share of 5% then has a standard error of 0.7%


class Seen(NamedTuple):
    """How often a test saw something, over planted tables."""

    planted: float  # the effect that was planted, in the unit of what was measured
    power: Rate  # tables in which it was found, with its sign
    false_alarms: Rate  # tables without it in which something was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed(Finding):
    """A finding of a test: what it is called in claims, its p, and what the test sees on planted effects."""

    key: str  # short and the same in every run; findings of the same key are compared
    p: float | None = None
    planted: float | None = None  # the size of the planted effect, in `unit`
    power: float | None = None  # share of planted tables in which the effect was found
    false_alarms: float | None = None  # share of empty tables in which one was
    runs: int = 0  # tables of each kind


def seen(test: Callable[[float, int], Trials], *, planted: float, runs: int = RUNS) -> Seen:
    """What a test makes of tables with an effect planted, and of tables without.

    Args: test: makes tables with an effect of the size that it is given, as many as it is told, and tests them.
    """
    found, empty = test(planted, runs), test(0.0, runs)
    hits = (found.p < 1 - LEVEL) & (found.effect * planted > 0)
    return Seen(planted, rate(int(hits.sum()), runs), rate(int((empty.p < 1 - LEVEL).sum()), runs))


def probed(key: str, name: str, found: Contrast, *, unit: str = "", trust: Seen | None = None) -> Probed:
    """A contrast as a finding; `trust` is what its test sees."""
    told: dict[str, Any] = {}
    if trust is not None:
        told = {"planted": trust.planted, "power": trust.power.rate, "false_alarms": trust.false_alarms.rate,
                "runs": trust.power.n}  # fmt: skip
    return Probed(
        key=key, name=name, effect=found.effect, low=found.low, high=found.high, unit=unit, p=found.p, **told
    )  # fmt: skip


def from_json(one: Mapping[str, Any]) -> Finding:
    """A finding as it was stored by `asdict`."""
    kind = Probed if "key" in one else Finding
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in one.items() if name in known})


def load_findings(config: Any, directory: Path, base: Policy) -> Products:
    """What a probe handed over: findings alone, which lie beside where a model would."""
    assert config is not None and base is not None
    return Products(findings=tuple(from_json(one) for one in read_json(directory / FILE)["findings"]))
