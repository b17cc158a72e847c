"""Paired outcomes: the exact test by hand, the interval against a bootstrap of items, gains in both units."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue
from operant.stats import holm
from operant.stats.paired import (
    FEWEST,
    Paired,
    count_pairs,
    mcnemar,
    normalised_preferred,
    paired_interval,
    relative_gain,
)


def test_mcnemar_by_hand():
    # 9 fair coins with at most 1 head: (1 + 9) / 2^9, twice; 11 coins with no head: 1 / 2^11, twice
    assert mcnemar(8, 1) == 2 * 10 / 2**9 == 0.0390625
    assert mcnemar(11, 0) == 2 / 2**11 == 0.0009765625
    assert mcnemar(1, 8) == mcnemar(8, 1)
    assert mcnemar(60, 20) == pytest.approx(8.58e-6, rel=1e-3)


@pytest.mark.parametrize("same", [0, 1, 7, 200])
def test_as_many_gained_as_lost_is_no_evidence(same):
    assert mcnemar(same, same) == 1


def test_counts_refuse_less_than_none():
    with pytest.raises(BadValue, match="discordant pairs"):
        mcnemar(-1, 3)


def test_pairs_are_counted_by_item_and_unknown_is_left_out():
    #        right both, gained, lost, wrong both, unknown, unknown
    with_it = [1.0, 1.0, 0.0, 0.0, None, 1.0]
    without = [1.0, 0.0, 1.0, 0.0, 1.0, None]
    assert count_pairs(with_it, without) == Paired(n=4, gained=1, lost=1, unknown=2)
    with pytest.raises(BadValue, match="outcomes is 1"):
        count_pairs([1.0], [1.0, 0.0])


def test_a_partial_score_counts_as_more_or_less():
    assert count_pairs([0.5, 0.5], [0.25, 1.0]) == Paired(n=2, gained=1, lost=1)


def test_effect_and_conclusiveness():
    assert Paired(n=40, gained=8, lost=2).effect == 6 / 40
    assert Paired(n=40, gained=8, lost=FEWEST - 8).conclusive
    assert not Paired(n=40, gained=8, lost=FEWEST - 9).conclusive
    assert Paired(n=0, gained=0, lost=0).effect == 0


def test_the_interval_is_that_of_drawing_items_anew():
    pairs = Paired(n=200, gained=30, lost=10)
    items = np.array([1] * 30 + [-1] * 10 + [0] * 160)
    rng = np.random.default_rng(0)
    means = [rng.choice(items, size=200).mean() for _ in range(4000)]
    got = paired_interval(pairs, resamples=4000, rng=np.random.default_rng(1))
    assert got == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.006)
    # variance of one item: (b + c)/n - ((b - c)/n)^2; 1.96 standard errors each way
    half = 1.96 * ((0.2 - 0.01) / 200) ** 0.5
    assert got == pytest.approx((0.1 - half, 0.1 + half), abs=0.01)


def test_no_discordant_pair_leaves_no_doubt_and_no_item_no_interval():
    assert paired_interval(Paired(n=5, gained=0, lost=0), rng=np.random.default_rng(0)) == (0, 0)
    with pytest.raises(BadValue, match="items is 0"):
        paired_interval(Paired(n=0, gained=0, lost=0), rng=np.random.default_rng(0))


def test_relative_gains_stand_beside_points():
    # 2.0 -> 4.3 is only 2.3 points, and +115 %
    assert relative_gain(4.3, 2.0) == pytest.approx(1.15)
    assert relative_gain(-1.0, -2.0) == 0.5  # below chance: up is still up
    assert relative_gain(1.0, 0.0) is None


def test_normalised_preferred_metric():
    # 100 (0.5 - 0.25) / (1 - 0.25)
    assert normalised_preferred(0.5, low=0.25, high=1.0) == pytest.approx(100 / 3)
    assert normalised_preferred(0.25, low=0.25, high=1.0) == 0
    assert normalised_preferred(0.0, low=0.25, high=1.0) < 0
    with pytest.raises(BadValue, match="above low"):
        normalised_preferred(0.5, low=1.0, high=1.0)


@pytest.mark.parametrize(
    "p_values, rejected",
    [((0.01, 0.03, 0.04), [True, False, False]), ((0.01, 0.02, 0.04), [True, True, True])],
)
def test_holm_at_five_percent(p_values, rejected):
    # 3 x .01 = .03; 2 x .03 = .06 stops there, 2 x .02 = .04 goes on; 1 x .04
    assert [p <= 0.05 for p in holm(p_values)] == rejected
