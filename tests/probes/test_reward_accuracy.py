"""Accuracy by strength and rank correlation, counted by hand."""

from __future__ import annotations

from math import atanh, sqrt, tanh

import pytest

from operant.probes.reward_accuracy import accuracy_findings, rank_correlation, right
from operant.stats.differences import clopper_pearson


def test_a_tie_is_half_right():
    assert right([0.3, -0.1, 0.0]).tolist() == [1.0, 0.0, 0.5]


def test_accuracy_by_strength_with_and_without_near_ties():
    # strength 0: 1 of 2 right; 1: 1 of 2; 3: 2 of 2
    found = accuracy_findings([1, -1, 1, -1, 1, 1], [0, 0, 1, 1, 3, 3])
    names = [one.name.removeprefix("accuracy on held-out pairs") for one in found]
    assert names == ["", ", near ties left out", " of strength 1", " of strength 3"]
    assert [one.effect for one in found] == [4 / 6, 3 / 4, 1 / 2, 1.0]
    assert (found[0].low, found[0].high) == tuple(clopper_pearson(4, 6))


def test_pairs_without_a_strength_count_in_the_whole_alone():
    assert [one.effect for one in accuracy_findings([1, -1], [None, None])] == [0.5]


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 5 and 1 2 3 5 4: 1 - 6 * (1 + 1) / (5 * 24) = 0.9, whatever the values between
    found = rank_correlation([0.1, 0.2, 5.0, 6.0, 90.0], [1, 2, 3, 9, 4])
    spread = 1.96 * sqrt((1 + 0.9**2 / 2) / (5 - 3))
    assert found.effect == pytest.approx(0.9)
    assert found.low == pytest.approx(tanh(atanh(0.9) - spread), abs=1e-4)
    assert found.high == pytest.approx(tanh(atanh(0.9) + spread), abs=1e-4)


def test_perfect_agreement_has_an_interval_and_no_variation_has_none():
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]).high == pytest.approx(1.0)
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
