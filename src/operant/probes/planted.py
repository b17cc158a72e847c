"""What the verdict procedure can see: planted effects, and ten sentences that do nothing, simulated in numpy."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from operant.errors import require
from operant.schema import Finding
from operant.stats.controls import Rate, rate
from operant.stats.differences import LEVEL, holm
from operant.stats.paired import FEWEST, mcnemar

Matrix = np.ndarray


class Flips(NamedTuple):
    """Shares of all items that a sentence turns from wrong to right, and from right to wrong."""

    up: float
    down: float


PLANTED, INERT = Flips(0.15, 0.05), Flips(0.05, 0.05)


class Seen(NamedTuple):
    """How often the procedure saw something, over simulated runs."""

    power: Rate  # runs in which the planted sentence was found to help
    false_alarms: Rate  # runs in which any of the inert ones got a verdict


# Measured 2026-11-22 with the defaults of `simulate` and seed 0; tests/probes/test_planted.py simulates again.
RUNS, ITEMS = 2000, 400
FOUND, ALARMED = 1909, 50  # of RUNS


def outcomes(flips: list[Flips], *, items: int, accuracy: float, rng: np.random.Generator) -> Matrix:
    """[1 + sentences, items] right or wrong: without any sentence in the first row, then with each."""
    plain = rng.random(items) < accuracy
    rows = [plain]
    for one in flips:
        chance = np.where(plain, one.down / accuracy, one.up / (1 - accuracy))
        rows.append(plain ^ (rng.random(items) < chance))
    return np.array(rows)


@lru_cache(maxsize=100_000)
def _p(gained: int, lost: int) -> float:
    return mcnemar(gained, lost)


def helps(table: Matrix) -> list[int]:
    """For each sentence 1 (found to help), -1 (to hurt) or 0, by McNemar and Holm over all of them."""
    plain, *rows = table.astype(bool)
    counts = [(int((row & ~plain).sum()), int((plain & ~row).sum())) for row in rows]
    adjusted = holm([_p(*pair) for pair in counts])
    return [
        int(p is not None and p <= 1 - LEVEL and gained + lost >= FEWEST) * (1 if gained > lost else -1)
        for p, (gained, lost) in zip(adjusted, counts, strict=True)
    ]


def simulate(
    *, runs: int = RUNS, items: int = ITEMS, inert: int = 10, accuracy: float = 0.5, rng: np.random.Generator
) -> Seen:
    """One planted sentence among `inert` others, `runs` times."""
    for one in (PLANTED, INERT):
        require(one.up <= 1 - accuracy and one.down <= accuracy, "accuracy", accuracy, "room for the planted flips")
    flips = [PLANTED, *[INERT] * inert]
    said = [helps(outcomes(flips, items=items, accuracy=accuracy, rng=rng)) for _ in range(runs)]
    found, alarmed = sum(one[0] == 1 for one in said), sum(any(one[1:]) for one in said)
    return Seen(rate(found, runs), rate(alarmed, runs))


def findings() -> tuple[Finding, Finding]:
    """Power and false alarms of the procedure, as they were measured."""
    where = f"in {RUNS} simulated runs of {ITEMS} prompts, with ten inert sentences beside"
    return (
        _finding(f"power for a planted gain of 10 points, {where}", rate(FOUND, RUNS)),
        _finding(f"any false alarm, {where}", rate(ALARMED, RUNS)),
    )


def _finding(name: str, seen: Rate) -> Finding:
    return Finding(name=name, effect=seen.rate, low=seen.low, high=seen.high, unit="share of runs")
