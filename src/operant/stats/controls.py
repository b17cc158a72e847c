"""A/A controls: two answer sets of one and the same policy, compared as if they were two methods."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require
from operant.schema import Json
from operant.stats.bootstrap import bca_rows
from operant.stats.differences import LEVEL, clopper_pearson, two_way_p


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """k of n, with its Clopper-Pearson interval."""

    k: int
    n: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """How often each test saw a difference between a policy and itself; 0.05 is what it promises."""

    bca: Rate
    two_way: Rate

    def to_json(self) -> dict[str, Json]:
        return asdict(self)


def rate(k: int, n: int) -> Rate:
    """A share with its exact interval."""
    low, high = clopper_pearson(k, n)
    return Rate(k=k, n=n, rate=k / n, low=low, high=high)


def aa_false_alarms(
    pool: ArrayLike, *, draws: int = 2000, per_side: int, resamples: int = 1000, rng: np.random.Generator
) -> FalseAlarms:
    """Compare a policy with itself, `draws` times, by both tests.

    Each draw takes two disjoint sets of `per_side` answers to every prompt. BCa tests the mean over a set's answers,
    prompt by prompt; the two-way test takes the answers of a set as seeds. It is conservative here: its floor counts
    the noise once more where neither seed nor prompt matters.

    Args: pool: [prompts, answers], scores of answers drawn independently from one fixed policy; all known.
    """
    scores = np.asarray(pool, dtype=float)
    require(scores.ndim == 2 and len(scores) >= 2, "pool", f"an array of shape {scores.shape}", "[prompts, answers]")
    require(np.isfinite(scores).all(), "pool", "an unknown or infinite score", "finite scores")
    require(1 <= per_side <= scores.shape[1] // 2, "per_side", per_side, f"1 to half of {scores.shape[1]} answers")
    differences = np.stack([_one_draw(scores, per_side, rng) for _ in range(draws)])
    low, high = bca_rows(differences.mean(1), resamples=resamples, rng=rng)
    by_bca = int(((low > 0) | (high < 0)).sum())
    by_both = int((two_way_p(differences) < 1 - LEVEL).sum())
    return FalseAlarms(bca=rate(by_bca, draws), two_way=rate(by_both, draws))


def _one_draw(scores: np.ndarray, per_side: int, rng: np.random.Generator) -> np.ndarray:
    """[per_side, prompts]: first set minus second, of answers shuffled within each prompt."""
    drawn = rng.permuted(scores, axis=1)[:, : 2 * per_side]
    return (drawn[:, :per_side] - drawn[:, per_side:]).T
