"""How often a reward model is right on held-out pairs, by the strength of the preference, and whether it knows grades.

Near ties are easy to leave out and make any accuracy look better, so it is given with and without them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operant.schema import Finding
from operant.stats.differences import clopper_pearson

Z = 1.959963984540054  # of a 95% interval


def right(leads: ArrayLike) -> NDArray[np.float64]:
    """[pairs] 1 where the chosen answer is ahead, 0 where it is behind, one half for a tie."""
    values = np.asarray(leads, dtype=float)
    return np.where(values == 0, 0.5, values > 0)


def accuracy_findings(leads: Sequence[float], strengths: Sequence[float | None]) -> list[Finding]:
    """Accuracy over all pairs, without near ties where there are any (strength 0), and for each strength above 0."""
    marks, graded = right(leads), np.array([math.nan if one is None else one for one in strengths])
    found = [_share("accuracy on held-out pairs", marks)]
    if (graded == 0).any() and (graded != 0).any():
        found.append(_share("accuracy on held-out pairs, near ties left out", marks[graded != 0]))
    for strength in sorted({one for one in graded if one > 0}):
        found.append(_share(f"accuracy on held-out pairs of strength {strength:g}", marks[graded == strength]))
    return found


def _share(name: str, marks: NDArray[np.float64]) -> Finding:
    """With its exact interval; ties count one half, and their number is rounded down for the interval's sake."""
    interval = clopper_pearson(int(marks.sum()), len(marks))
    return Finding(name=name, effect=float(marks.mean()), low=interval.low, high=interval.high)


def rank_correlation(rewards: Sequence[float], ratings: Sequence[float]) -> Finding | None:
    """Spearman's correlation of rewards with ratings; None for fewer than 4 answers, or where one never differs.

    The interval is Fisher's with the variance for ranks, (1 + r^2 / 2) / (n - 3). Source: Bonett and Wright 2000,
    Psychometrika 65, eq. 3.
    """
    from scipy.stats import rankdata

    if len(rewards) < 4 or len(set(rewards)) == 1 or len(set(ratings)) == 1:
        return None
    value = float(np.corrcoef(rankdata(rewards), rankdata(ratings))[0, 1])
    spread = Z * math.sqrt((1 + value**2 / 2) / (len(rewards) - 3))
    middle = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    low, high = math.tanh(middle - spread), math.tanh(middle + spread)
    return Finding(name="rank correlation of rewards with ratings", effect=value, low=low, high=high)
