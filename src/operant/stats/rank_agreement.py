"""How far two rankings of the same things agree. Ranks are ordinal: equal values rank in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

Agreement = Callable[[Sequence[float], Sequence[float]], float]  # two scores of the same things -> 0 to 1


def ranks(values: Sequence[float]) -> list[int]:
    """0 for the least; of equal values the earlier ranks lower, so that no two ranks are equal."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").tolist()


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """(tau + 1) / 2: the share of pairs that both put in the same order."""
    ours, theirs = ranks(one), ranks(other)
    pairs = list(combinations(range(len(ours)), 2))
    return sum((ours[a] < ours[b]) == (theirs[a] < theirs[b]) for a, b in pairs) / len(pairs)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """(rho + 1) / 2, of the correlation of ranks."""
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1] + 1) / 2


def same_ends(one: Sequence[float], other: Sequence[float]) -> float:
    """1 where both agree on the best and on the worst, else 0."""
    ours, theirs = ranks(one), ranks(other)
    last = len(ours) - 1
    return float(ours.index(0) == theirs.index(0) and ours.index(last) == theirs.index(last))
