"""Two groups of conditions tried on the same items: conditions and items are both samples, and both may vary.

A test over (condition, item) rows would take the repeated items, and the repeated conditions, for independent ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require
from operant.stats.differences import LEVEL, Array


class Contrast(NamedTuple):
    """First group less second, with its 95% interval and the two-sided p of no difference."""

    effect: float
    low: float
    high: float
    p: float
    se: float
    df: float


class Group(NamedTuple):
    """One group's conditions: how far each one's mean is from the group's, and the variance of what is left."""

    deviations: Array  # [conditions]
    rest: float  # of one value


class Trials(NamedTuple):
    """Effects and p values of many tests."""

    effect: Array
    p: Array


def crossed(first: ArrayLike, second: ArrayLike) -> Contrast:
    """Mean of one group less mean of the other, as a mixed model with random conditions and items has it.

    value[c, i] = group + condition[c] + item[i] + item x group[i] + rest[c, i], so that
    Var = V_conditions(first) + V_conditions(second) + V_items - V_rest, with
    V_items = var over items of the difference of group means / items, V_conditions = var of the conditions' means /
    conditions, V_rest = MS_rest / (conditions x items) of both groups, which the other two count twice. The floor is
    V_rest. Degrees of freedom: Satterthwaite 1946. Items themselves cancel.

    Args: [conditions, items] each, all known, the same items in the same order, at least 2. A group of one condition
        is taken as it is: the interval then says nothing about other conditions of its kind.
    """
    one, two = _groups(first, second)
    differences = one.mean(0) - two.mean(0)
    groups = [_group(one), _group(two)]
    rest = sum(group.rest / group.deviations.size / len(differences) for group in groups)
    effect, se, df = _satterthwaite(differences, [group.deviations for group in groups], rest)
    return interval(float(effect), float(se), float(df))


def _groups(first: ArrayLike, second: ArrayLike) -> list[Array]:
    groups = [np.asarray(values, dtype=float) for values in (first, second)]
    for values in groups:
        shaped = values.ndim == 2 and len(values) >= 1 and values.shape[1] >= 2
        require(shaped, "group", values.shape, "[conditions, items] with 2 items or more")
        require(bool(np.isfinite(values).all()), "group", "an unknown value", "finite numbers")
    require(groups[0].shape[1] == groups[1].shape[1], "items", [g.shape[1] for g in groups], "the same in both groups")
    return groups


def _group(values: Array) -> Group:
    count, items = values.shape
    means = values.mean(1)
    if count < 2:
        return Group(np.zeros(1), 0.0)
    rest = values - means[:, None] - values.mean(0) + values.mean()
    return Group(means - means.mean(), float((rest**2).sum()) / ((count - 1) * (items - 1)))


def _satterthwaite(differences: Array, deviations: list[Array], rest: Any) -> tuple[Array, Array, Array]:
    """Effect, standard error and degrees of freedom; the last axis is items or conditions, others are many tests."""
    items = differences.shape[-1]
    by_item = differences.var(-1, ddof=1) / items
    parts = [(one.var(-1, ddof=1) / one.shape[-1], one.shape[-1] - 1) for one in deviations if one.shape[-1] > 1]
    variance = np.maximum(by_item + sum(part for part, _ in parts) - rest, rest)
    noise = by_item**2 / (items - 1) + sum(part**2 / df for part, df in parts)
    df = np.divide(variance**2, noise, out=np.full_like(variance, items - 1.0), where=noise > 0)
    return differences.mean(-1), np.sqrt(variance), df


def interval(effect: float, se: float, df: float) -> Contrast:
    """The t interval and test of an effect with this standard error."""
    from scipy.special import stdtrit

    if se <= 1e-12 * max(abs(effect), 1e-6):  # equal values leave rounding errors
        return Contrast(effect, effect, effect, float(abs(effect) < 1e-12), 0.0, df)
    t = float(stdtrit(df, (1 + LEVEL) / 2))
    return Contrast(effect, effect - t * se, effect + t * se, float(_p(effect, se, df)), se, df)


def _p(effect: Any, se: Any, df: Any) -> Any:
    from scipy.special import stdtr

    return 2 * stdtr(df, -np.abs(effect) / np.where(se > 0, se, np.inf))


def over_items(values: ArrayLike) -> Contrast:
    """A mean of one value an item, by a plain t interval."""
    known = np.asarray(values, dtype=float)
    require(known.ndim == 1 and len(known) >= 2, "values", known.shape, "one an item, 2 or more")
    require(bool(np.isfinite(known).all()), "values", "an unknown value", "finite numbers")
    effect, se, df = _satterthwaite(known, [], 0.0)
    return interval(float(effect), float(se), float(df))


def again(values: ArrayLike, *, effect: float, runs: int, rng: np.random.Generator) -> Trials:
    """`over_items` on items drawn anew from these, whose mean was moved to `effect`."""
    known = np.asarray(values, dtype=float)
    drawn = rng.choice(known - known.mean() + effect, size=(runs, len(known)))
    found, se, df = _satterthwaite(drawn, [], 0.0)
    return Trials(found, _p(found, se, df))


def crossed_again(
    first: ArrayLike, second: ArrayLike, *, effect: float, runs: int, rng: np.random.Generator
) -> Trials:  # fmt: skip
    """`crossed` on items drawn anew from these, whose contrast was moved to `effect`, and on new conditions.

    Conditions are normal with the variance that theirs has beside its share of the rest: of a few, drawn anew, some
    would stand there twice and vary less than they do.
    """
    one, two = _groups(first, second)
    differences, items = one.mean(0) - two.mean(0), one.shape[1]
    drawn = rng.choice(differences - differences.mean() + effect, size=(runs, items))
    seen, rest = [], 0.0
    for sign, group in zip((1, -1), (_group(one), _group(two)), strict=True):
        count, noise = len(group.deviations), group.rest / items
        rest += noise / count
        if count > 1:
            own = np.sqrt(max(0.0, float(group.deviations.var(ddof=1)) - noise)) * rng.normal(size=(runs, count))
            drawn = drawn + sign * own.mean(1)[:, None]
            seen.append(own + rng.normal(0, np.sqrt(noise), own.shape))
    found, se, df = _satterthwaite(drawn, seen, rest)
    return Trials(found, _p(found, se, df))


def permuted_p(means: ArrayLike, marks: ArrayLike, *, runs: int = 999, rng: np.random.Generator) -> float:
    """Two-sided p of the difference of two groups' means, against marks given to the same conditions by lot.

    (1 + lots with at least this difference) / (1 + runs): uniform where marks mean nothing.

    Args: means [conditions]; marks [conditions], true for the first group, some of each.
    """
    values, inside = np.asarray(means, dtype=float), np.asarray(marks, dtype=bool)
    require(0 < inside.sum() < len(inside), "marks", int(inside.sum()), f"some of each of {len(inside)}")
    lots = rng.permuted(np.tile(inside, (runs, 1)), axis=1)
    seen = float(_gap(values, inside[None])[0])
    return (1 + int((np.abs(_gap(values, lots)) >= abs(seen) - 1e-12).sum())) / (1 + runs)


def _gap(values: Array, lots: np.ndarray) -> Array:
    count = lots.sum(1)
    first = lots @ values
    return first / count - (values.sum() - first) / (len(values) - count)
