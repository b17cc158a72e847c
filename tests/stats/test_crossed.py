"""Crossed contrasts: the parts of the variance by hand, false alarms and power on tables whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue
from operant.stats.crossed import again, crossed, crossed_again, interval, over_items, permuted_p


def table(rng, *, effect, conditions=(12, 18), items=60, marker=0.03, interaction=0.1, rest=0.1):
    item = rng.normal(0, 0.3, items)
    sides = []
    for count, shift in zip(conditions, (effect, 0.0), strict=True):
        common = item + shift + rng.normal(0, interaction / 2**0.5, items)
        sides.append(common + rng.normal(0, marker, (count, 1)) + rng.normal(0, rest, (count, items)))
    return sides


def test_a_contrast_by_hand():
    # first: one condition, 3 and 1; second: one condition, 0 and 0. Differences 3 and 1, mean 2.
    found = crossed([[3, 1]], [[0, 0]])
    assert found.effect == 2
    # one condition a side: only items vary; variance of (3, 1) is 2, over 2 items 1
    assert found.se == pytest.approx(1.0)
    assert found.df == 1
    assert found == over_items([3, 1])


def test_the_variance_of_conditions_counts():
    # Items all alike: differences do not vary over items. Means of the conditions are 1 and 3, and 0 and 0:
    # variance 2 over 2 conditions, and nothing is left within them.
    found = crossed([[1, 1, 1], [3, 3, 3]], [[0, 0, 0], [0, 0, 0]])
    assert (found.effect, found.se, found.df) == (2, pytest.approx(1.0), pytest.approx(1.0))


def test_items_cancel():
    rng = np.random.default_rng(0)
    first, second = table(rng, effect=0.1)
    shift = rng.normal(0, 5, first.shape[1])
    assert crossed(first + shift, second + shift) == pytest.approx(crossed(first, second))


def test_without_any_variance_it_is_certain():
    assert crossed([[1, 1]], [[1, 1]]).p == 1
    assert crossed([[2, 2]], [[1, 1]]).p == 0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadValue, match="items"):
        crossed([[1, 2]], [[1, 2, 3]])
    with pytest.raises(BadValue, match="unknown value"):
        crossed([[1, np.nan]], [[1, 2]])
    with pytest.raises(BadValue, match="2 items"):
        crossed([[1]], [[1]])


def test_false_alarms_and_coverage_where_conditions_and_items_vary():
    rng = np.random.default_rng(1)
    empty = [crossed(*table(rng, effect=0.0)) for _ in range(800)]
    # 0.05 +- 3 standard errors of 800 runs: 0.05 +- 0.023
    assert np.mean([one.p < 0.05 for one in empty]) == pytest.approx(0.05, abs=0.023)
    planted = [crossed(*table(rng, effect=0.1)) for _ in range(800)]
    assert np.mean([one.low <= 0.1 <= one.high for one in planted]) == pytest.approx(0.95, abs=0.023)


def test_counting_rows_as_independent_would_find_effects_that_are_not_there():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(2)
    tables = [table(rng, effect=0.0, items=40, interaction=0.2) for _ in range(200)]
    naive = np.mean([ttest_ind(first.ravel(), second.ravel()).pvalue < 0.05 for first, second in tables])
    ours = np.mean([crossed(first, second).p < 0.05 for first, second in tables])
    assert naive > 2 * ours and ours < 0.1


def test_tables_drawn_anew_say_what_fresh_tables_would():
    rng = np.random.default_rng(3)
    fresh = [crossed(*table(rng, effect=0.05)) for _ in range(600)]
    told = [
        (crossed_again(*table(rng, effect=0.4), effect=0.05, runs=200, rng=rng).p < 0.05).mean() for _ in range(60)
    ]  # the effect of the table itself is taken out
    assert np.mean(told) == pytest.approx(np.mean([one.p < 0.05 for one in fresh]), abs=0.06)
    empty = [crossed_again(*table(rng, effect=0.4), effect=0.0, runs=200, rng=rng).p < 0.05 for _ in range(60)]
    assert np.mean(empty) == pytest.approx(0.05, abs=0.02)


def test_items_drawn_anew():
    rng = np.random.default_rng(4)
    values = rng.normal(3, 1, 100)  # standard error 0.1
    assert (again(values, effect=0.0, runs=2000, rng=rng).p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    # an effect of 0.28 is 2.8 standard errors: found in P(z > 1.96 - 2.8) = 80%
    assert (again(values, effect=0.28, runs=2000, rng=rng).p < 0.05).mean() == pytest.approx(0.8, abs=0.07)


def test_dealing_marks_by_lot_gives_a_uniform_p():
    rng = np.random.default_rng(5)
    marks = np.arange(20) < 8
    found = np.array([permuted_p(rng.normal(size=20), marks, runs=99, rng=rng) for _ in range(400)])
    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=0.033)
    assert found.mean() == pytest.approx(0.5, abs=0.05)
    # 8 ones against 12 zeros: no other lot is as far apart, so p is 1 of 100, or little more
    assert permuted_p(marks.astype(float), marks, runs=99, rng=rng) <= 0.03
    with pytest.raises(BadValue, match="some of each"):
        permuted_p([1, 2], [True, True], rng=rng)


def test_an_interval_by_hand():
    # two-sided t with 1 degree of freedom: P(|t| > 1) = 1/2
    assert interval(1.0, 1.0, 1.0).p == pytest.approx(0.5)
