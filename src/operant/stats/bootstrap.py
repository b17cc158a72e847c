"""BCa intervals over prompts: for one fixed model only, since they say nothing about other seeds.

Source: Efron 1987, Better bootstrap confidence intervals, JASA 82; eq. 14.10 of Efron and Tibshirani 1993.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require
from operant.stats.differences import LEVEL, Array, Interval

Indices: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.int64]]"


def bca_rows(rows: ArrayLike, *, resamples: int = 2000, rng: np.random.Generator) -> tuple[Array, Array]:
    """BCa interval of the mean of every row, all rows resampled by the same draws of prompts.

    Args: rows: [rows, prompts], all known, at least 2 prompts.
    Returns: low and high, one value per row.
    """
    values = np.asarray(rows, dtype=float)
    expected = "a finite matrix [rows, prompts] of at least 2 prompts"
    require(values.ndim == 2 and values.shape[1] >= 2, "rows", f"an array of shape {values.shape}", expected)
    require(np.isfinite(values).all(), "rows", "an unknown or infinite value", expected)
    num_prompts = values.shape[1]
    weights = rng.multinomial(num_prompts, np.full(num_prompts, 1 / num_prompts), size=resamples) / num_prompts
    mean = values.mean(1)
    # Leaving prompt i out moves the mean by (value_i - mean) / (P - 1) against the mean of such means.
    return _corrected(mean, values @ weights.T, values - mean[:, None])


def bca(values: ArrayLike, *, resamples: int = 2000, rng: np.random.Generator) -> Interval:
    """BCa interval of the mean of one fixed model over prompts; unknown values (NaN) are left out.

    It is for 200 prompts and more: with 40 to 100 of skewed scores it misses 0 in 6 to 10% of A/A comparisons.
    """
    known = np.asarray(values, dtype=float)
    require(known.ndim == 1, "values", f"an array of shape {known.shape}", "one value per prompt")
    low, high = bca_rows(known[None, ~np.isnan(known)], resamples=resamples, rng=rng)
    return Interval(float(low[0]), float(high[0]))


def bca_of(
    statistic: Callable[[Indices], float], num_prompts: int, *, resamples: int = 1000, rng: np.random.Generator
) -> Interval:
    """BCa interval of a metric of a whole set, which is recomputed on every resample.

    Args: statistic: from the indices of the prompts in a set (repeats allowed) to the set's value.
    """
    require(num_prompts >= 2, "num_prompts", num_prompts, "at least 2")
    everything = np.arange(num_prompts)
    drawn = [statistic(rng.integers(num_prompts, size=num_prompts)) for _ in range(resamples)]
    without = np.array([statistic(np.delete(everything, index)) for index in everything])
    low, high = _corrected(np.array([statistic(everything)]), np.array([drawn]), (without.mean() - without)[None])
    return Interval(float(low[0]), float(high[0]))


def _corrected(value: Array, drawn: Array, jackknife: Array) -> tuple[Array, Array]:
    """The percentiles of `drawn` that bias and acceleration call for.

    alpha' = Phi(z0 + (z0 + z_alpha) / (1 - a (z0 + z_alpha))),  z0 = Phi^-1(share of drawn below value),
    a = sum(u^3) / (6 sum(u^2)^1.5),  u = mean of the jackknife values minus each.

    Args: value [rows]; drawn [rows, resamples]; jackknife: u up to a factor, [rows, prompts].
    """
    from scipy.special import ndtr, ndtri

    # Resamples equal to the value but for rounding count half, or a constant would look biased.
    gap = drawn - value[:, None]
    gap[np.abs(gap) <= 1e-12 * np.abs(drawn).max(1, keepdims=True)] = 0.0
    below = (gap < 0).mean(1) + (gap == 0).mean(1) / 2
    resamples = drawn.shape[1]
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    squares = (jackknife**2).sum(1)
    skew = (jackknife**3).sum(1) / (6 * np.where(squares > 0, squares, 1.0) ** 1.5)
    drawn = np.sort(drawn, axis=1)
    ends = []
    for z in ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2]):
        at = ndtr(bias + (bias + z) / (1 - skew * (bias + z))) * (resamples - 1)
        lower = np.floor(at).astype(int)
        upper = np.minimum(lower + 1, resamples - 1)
        left, right = (np.take_along_axis(drawn, index[:, None], 1)[:, 0] for index in (lower, upper))
        ends.append(left + (at - lower) * (right - left))
    return ends[0], ends[1]
