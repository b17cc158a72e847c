"""Differences over seeds and prompts: interval, test, correction for many tests, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require
from operant.schema import Direction, Json

Array: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
Verdict = Literal["better", "worse", "no detectable difference", "not comparable"]
LEVEL = 0.95  # of every interval; a test at 1 - LEVEL agrees with its interval
POWER = 0.8  # the smallest visible difference is one that would be found this often
MOST_UNKNOWN = 0.05  # a larger share of unknown prompts makes a difference not comparable


class Interval(NamedTuple):
    """A 95% interval, in the unit of what was measured."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mean with its interval. None where it cannot be known: no prompt is left, or too few for an interval."""

    mean: float | None
    low: float | None
    high: float | None
    n: int  # prompts that count
    unknown: int  # prompts left out, because their value is unknown under some seed

    def to_json(self) -> dict[str, Json]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Method minus baseline. The statistics are None where nothing can be said (fewer than two known prompts)."""

    mean: float | None
    low: float | None
    high: float | None
    p: float | None  # two-sided, of the hypothesis that the true difference is 0
    se: float | None
    df: float | None
    n_prompts: int  # prompts that count
    n_seeds: int
    unknown: int  # prompts left out, because the difference is unknown under some seed
    smallest_visible: float | None  # a true difference of this size is found in 80% of such comparisons
    for_these_seeds_only: bool  # fewer than 3 seeds: nothing is said about other seeds

    @property
    def unknown_share(self) -> float:
        """Between 0 and 1; 1 where there was no prompt at all."""
        return self.unknown / (self.unknown + self.n_prompts) if self.unknown + self.n_prompts else 1.0

    def to_json(self) -> dict[str, Json]:
        return asdict(self)


class _Spread(NamedTuple):
    """A mean, its standard error and the degrees of freedom, one value per matrix."""

    mean: Array
    se: Array
    df: Array


def _matrix(values: ArrayLike, name: str) -> tuple[Array, int]:
    """Known columns of a [seeds, prompts] matrix, and how many were left out."""
    matrix = np.asarray(values, dtype=float)
    require(matrix.ndim == 2, name, f"an array of shape {matrix.shape}", "a matrix [seeds, prompts]")
    require(not np.isinf(matrix).any(), name, "an infinite value", "finite numbers, or NaN where unknown")
    known = ~np.isnan(matrix).any(axis=0) & (len(matrix) > 0)
    return matrix[:, known], int((~known).sum())


def _over_prompts(values: Array) -> _Spread:
    """A plain t interval over the last axis."""
    num_prompts = values.shape[-1]
    mean = values.mean(-1)
    se = np.sqrt(((values - mean[..., None]) ** 2).sum(-1) / (num_prompts - 1) / num_prompts)
    return _Spread(mean, se, np.full_like(mean, num_prompts - 1))


def _over_both(values: Array) -> _Spread:
    """Two-way random effects with one value per seed and prompt, over the last two axes.

    value[s, p] = mean + seed[s] + prompt[p] + rest[s, p], so that
    E MS_seed = V_rest + P V_seed,  E MS_prompt = V_rest + S V_prompt,  E MS_rest = V_rest, and
    Var(mean) = V_seed/S + V_prompt/P + V_rest/(S P) = (MS_seed + MS_prompt - MS_rest) / (S P).
    The floor is what is left when neither seeds nor prompts matter. Degrees of freedom: Satterthwaite 1946.
    """
    num_seeds, num_prompts = values.shape[-2:]
    mean, by_seed, by_prompt = values.mean((-2, -1)), values.mean(-1), values.mean(-2)
    rest = values - by_seed[..., None] - by_prompt[..., None, :] + mean[..., None, None]
    df_seed, df_prompt, df_rest = num_seeds - 1, num_prompts - 1, (num_seeds - 1) * (num_prompts - 1)
    ms_seed = num_prompts * ((by_seed - mean[..., None]) ** 2).sum(-1) / df_seed
    ms_prompt = num_seeds * ((by_prompt - mean[..., None]) ** 2).sum(-1) / df_prompt
    ms_rest = (rest**2).sum((-2, -1)) / df_rest
    variance = np.maximum(ms_seed + ms_prompt - ms_rest, ms_rest)
    noise = ms_seed**2 / df_seed + ms_prompt**2 / df_prompt + ms_rest**2 / df_rest
    df = np.divide(variance**2, noise, out=np.full_like(variance, df_rest), where=noise > 0)
    return _Spread(mean, np.sqrt(variance / (num_seeds * num_prompts)), df)


def _spread(values: Array) -> _Spread:
    """Two-way from three seeds on; below, the seeds are averaged and only prompts vary."""
    spread = _over_both(values) if values.shape[-2] >= 3 else _over_prompts(values.mean(-2))
    # Equal values leave a variance of rounding errors, about 1e-32 of their square; it is none.
    equal = np.ptp(values, axis=(-2, -1)) <= 1e-12 * np.abs(values).max((-2, -1))
    return spread._replace(se=np.where(equal, 0.0, spread.se))


def _p_value(spread: _Spread) -> Array:
    """Two-sided t test of a mean of 0. Without variance it is certain: 1 at 0, else 0."""
    from scipy.special import stdtr

    varies = spread.se > 0
    p = 2 * stdtr(spread.df, -np.abs(spread.mean) / np.where(varies, spread.se, 1.0))
    return np.where(varies, p, np.where(spread.mean == 0, 1.0, 0.0))


def two_way(differences: ArrayLike) -> Difference:
    """Interval and test of a mean difference over seeds and prompts.

    A prompt whose difference is unknown (NaN) under any seed is left out and counted. With fewer than 3 seeds the
    interval holds for these seeds only: t over prompts, of the mean over seeds.

    Args:
        differences: [seeds, prompts], method minus baseline, paired by seed and prompt.
    Raises: BadValue on another shape and on infinite values.
    """
    from scipy.special import stdtrit

    known, unknown = _matrix(differences, "differences")
    num_seeds, num_prompts = known.shape
    mean = low = high = p = se = df = visible = None
    if num_prompts:
        mean = float(known.mean())
    if num_prompts > 1:
        spread = _spread(known)
        mean, se, df, p = float(spread.mean), float(spread.se), float(spread.df), float(_p_value(spread))
        t = float(stdtrit(df, (1 + LEVEL) / 2))
        low, high, visible = mean - t * se, mean + t * se, (t + float(stdtrit(df, POWER))) * se
    return Difference(
        mean=mean,
        low=low,
        high=high,
        p=p,
        se=se,
        df=df,
        n_prompts=num_prompts,
        n_seeds=num_seeds,
        unknown=unknown,
        smallest_visible=visible,
        for_these_seeds_only=num_seeds < 3,
    )


def two_way_p(differences: ArrayLike) -> Array:
    """The p value of `two_way` for many matrices at once: [..., seeds, prompts], all known, at least 2 prompts."""
    return _p_value(_spread(np.asarray(differences, dtype=float)))


def cell(values: ArrayLike) -> Cell:
    """A mean and its interval by the same means as `two_way`; of [seeds, prompts], or of prompts alone."""
    found = two_way(np.atleast_2d(np.asarray(values, dtype=float)))
    return Cell(mean=found.mean, low=found.low, high=found.high, n=found.n_prompts, unknown=found.unknown)


def verdict(
    difference: Difference, p_adjusted: float | None, direction: Direction, *, unknown_share: float | None = None
) -> Verdict:
    """What may be said of a difference, by its adjusted p at 0.05.

    Args:
        p_adjusted: from `holm`, over the methods of the task; None where there was no test.
        direction: which way the metric is good.
        unknown_share: unknown prompts over all; by default the difference's own. Above 0.05: not comparable.
    """
    share = difference.unknown_share if unknown_share is None else unknown_share
    if share > MOST_UNKNOWN or difference.mean is None or p_adjusted is None:
        return "not comparable"
    if p_adjusted > 1 - LEVEL:
        return "no detectable difference"
    return "better" if (difference.mean > 0) == (direction == "up") else "worse"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Step-down adjusted p values: the chance of even one false alarm among all stays below the level.

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_(j), at most 1. None (no test) stays None and is
    not counted. Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    tested = [index for index, p in enumerate(p_values) if p is not None]
    p = np.array([p_values[index] for index in tested], dtype=float)
    require(((p >= 0) & (p <= 1)).all(), "p_values", list(p_values), "numbers between 0 and 1, or None")
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    adjusted: list[float | None] = [None] * len(p_values)
    for place, value in zip(order, stepped, strict=True):
        adjusted[tested[place]] = float(value)
    return adjusted


def clopper_pearson(k: int, n: int, *, level: float = LEVEL) -> Interval:
    """Exact interval of a share seen k times in n. Source: Clopper and Pearson 1934, Biometrika 26."""
    from scipy.special import betaincinv

    require(0 <= k <= n and n > 0, "k", k, f"a count between 0 and n, with n > 0; n is {n}")
    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    return Interval(low, float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0)
