"""Agreement, transfer and shared errors of reward models, on rewards whose truth is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from operant.probes.herding import agreement, at, best, feature_shift, pairs_of, top, transfer


def test_agreement_is_spearmans():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 5, 16))
    expected = [spearmanr(a, b).statistic for a, b in zip(one, two, strict=True)]
    assert agreement(one, two).tolist() == pytest.approx(expected)
    assert agreement(one, np.exp(3 * one)).tolist() == pytest.approx([1.0] * 5)
    assert np.isnan(agreement(one, np.zeros((5, 16)))).all()


def test_choosing_by_hand():
    rewards = np.array([[1.0, 5.0, 2.0], [9.0, 0.0, 9.0]])
    assert best(rewards).tolist() == [1, 0]
    assert at(np.array([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]]), best(rewards)).tolist() == [20.0, 40.0]
    # two of four samples: those of the highest mean over members
    assert top(np.array([[[0.0, 3.0, 1.0, 2.0]], [[0.0, 1.0, 2.0, 3.0]]]), 0.5).tolist() == [[3, 1]]


def test_a_member_keeps_all_of_its_own_gain_and_a_stranger_none():
    rng = np.random.default_rng(0)
    one, stranger = rng.normal(size=(2, 2000, 16))
    # the best of 16 normal draws lies 1.766 deviations above the mean; an independent judge gains nothing
    assert transfer(one, one).mean() == pytest.approx(1.766, abs=0.05)
    assert transfer(one, stranger).mean() == pytest.approx(0.0, abs=0.08)
    # half of the variance is shared: the correlation 1/2 carries over half of the gain
    shared, *own = rng.normal(size=(3, 2000, 16))
    left, right = shared + own[0], shared + own[1]
    assert transfer(left, right).mean() == pytest.approx(1.766 / 2, abs=0.08)


def test_a_shared_taste_for_length_shows_in_every_member_and_averages_do_not_remove_it():
    rng = np.random.default_rng(0)
    quality, length = rng.normal(size=(2, 500, 16))
    members = np.array([quality + 0.5 * length + rng.normal(size=quality.shape) for _ in range(4)])
    shifts = feature_shift(members, length)
    assert shifts.shape == (4, 500)
    # the correlation of a member with length is 0.5 / sqrt(1 + 0.25 + 1) = 1/3
    assert shifts.mean(1).tolist() == pytest.approx([1.766 / 3] * 4, abs=0.12)
    assert feature_shift(members.mean(0, keepdims=True), length).mean() > shifts.mean()
    honest = np.array([quality + rng.normal(size=quality.shape) for _ in range(4)])
    assert abs(feature_shift(honest, length).mean()) < 0.08


def test_pairs_of_members():
    assert pairs_of([0, 0, 1], same=True) == [(0, 1)]
    assert pairs_of([0, 0, 1], same=False) == [(0, 2), (1, 2)]
    assert pairs_of([0], same=True) == []
