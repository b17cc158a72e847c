"""Scores of a personality questionnaire: reverse-keyed items, dimensions, letters of a type, agreement with labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from operant.errors import require


class Item(NamedTuple):
    """One question."""

    dimension: str
    reverse: bool = False  # agreement speaks against the dimension


class Agreement(NamedTuple):
    """How a measured character goes with its label."""

    dimensions: float  # share of dimensions on the right side
    whole: bool  # all of them
    mse: float
    mae: float


def dimension_scores(
    items: Sequence[Item], answers: Sequence[float | None], *, low: float, high: float
) -> dict[str, float]:
    """Mean over a dimension's items after turning reverse-keyed ones round (low + high - answer). Items that nobody
    could rate are left out; a dimension without any is left out too.
    """
    found = defaultdict[str, list[float]](list)
    for item, value in zip(items, answers, strict=True):
        if value is None:
            continue
        require(low <= value <= high, f"answer to an item of {item.dimension}", value, f"{low:g} to {high:g}")
        found[item.dimension].append(low + high - value if item.reverse else value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def percent(score: float, *, low: float, high: float) -> float:
    """0 to 100 along the scale."""
    return 100 * (score - low) / (high - low)


def letters(percents: Mapping[str, float], sides: Mapping[str, tuple[str, str]]) -> str:
    """The letter of each dimension's side of 50 %: (above, below); exactly 50 is below."""
    return "".join(above if percents[name] > 50 else below for name, (above, below) in sides.items())


def agreement(percents: Mapping[str, float], label: Mapping[str, float]) -> Agreement:
    """Against a label of 0 to 100 for each dimension."""
    require(set(percents) >= set(label), "dimensions", sorted(percents), f"all of {sorted(label)}")
    same = [(percents[name] > 50) == (value > 50) for name, value in label.items()]
    gaps = [percents[name] - value for name, value in label.items()]
    count = len(label)
    return Agreement(
        sum(same) / count, all(same), sum(gap**2 for gap in gaps) / count, sum(map(abs, gaps)) / count
    )  # fmt: skip
