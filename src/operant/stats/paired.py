"""Two conditions on the same items, each answer right or wrong: exact test, interval, gains in points and relative."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from operant.errors import require
from operant.stats.differences import LEVEL, Interval

FEWEST = 10  # discordant pairs below which nothing is concluded


class Paired(NamedTuple):
    """How often two conditions differ on the same items."""

    n: int  # items whose outcome is known under both
    gained: int  # right with, wrong without: b
    lost: int  # wrong with, right without: c
    unknown: int = 0  # items left out

    @property
    def discordant(self) -> int:
        return self.gained + self.lost

    @property
    def conclusive(self) -> bool:
        """Whether there are enough discordant pairs to say anything."""
        return self.discordant >= FEWEST

    @property
    def effect(self) -> float:
        """Difference of the shares right, (b - c) / n; 0 where there is no item."""
        return (self.gained - self.lost) / self.n if self.n else 0.0

    @property
    def p(self) -> float:
        return mcnemar(self.gained, self.lost)


def count_pairs(with_it: Sequence[float | None], without: Sequence[float | None]) -> Paired:
    """b and c of outcomes in the same order of items; None is unknown. A score between 0 and 1 counts as more or less.

    Raises: BadValue where the lengths differ.
    """
    require(len(with_it) == len(without), "outcomes", len(with_it), f"one for each of {len(without)} items")
    known = [(one, two) for one, two in zip(with_it, without, strict=True) if one is not None and two is not None]
    gained, lost = sum(one > two for one, two in known), sum(one < two for one, two in known)
    return Paired(len(known), gained, lost, len(without) - len(known))


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p of b = c: twice the smaller tail of Binomial(b + c, 1/2), at most 1.

    Source: McNemar 1947, Psychometrika 12, by the exact distribution instead of the normal one.
    """
    require(min(gained, lost) >= 0, "discordant pairs", (gained, lost), "counts of at least 0")
    total = gained + lost
    tail = sum(comb(total, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**total)


def paired_interval(pairs: Paired, *, resamples: int = 1000, rng: np.random.Generator) -> Interval:
    """95% percentile interval of (b - c) / n when whole items are drawn anew.

    A resample of n items is a draw of how many of them are gained, lost and unchanged.
    """
    require(pairs.n > 0, "items", pairs.n, "at least 1 with known outcomes")
    shares = np.array([pairs.gained, pairs.lost, pairs.n - pairs.discordant]) / pairs.n
    drawn = rng.multinomial(pairs.n, shares, size=resamples)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / pairs.n, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def relative_gain(with_it: float, without: float) -> float | None:
    """(with - without) / |without|; None where `without` is 0. Say the points beside it: near 0 it explodes."""
    return (with_it - without) / abs(without) if without else None


def normalised_preferred(raw: float, *, low: float, high: float) -> float:
    """BIG-bench's normalised preferred metric, 100 (raw - low) / (high - low): 0 at `low`, 100 at `high`.

    Args: low: the score of chance. high: the score of an expert. Below chance it is negative.
    Source: Srivastava et al. 2022, arXiv:2206.04615.
    """
    require(high > low, "high", high, f"above low, which is {low}")
    return 100 * (raw - low) / (high - low)
