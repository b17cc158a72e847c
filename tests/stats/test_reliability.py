"""Calibration and AUROC against arithmetic that a reader can follow."""

import math

import pytest

from operant.errors import OperantError
from operant.stats.reliability import Bin, auroc, calibration


def test_calibration_by_hand():
    # Confidence 0.9 three times, right twice (0.1 is a wrong verdict of confidence 0.9); 0.6 once, right.
    found = calibration([0.9, 0.9, 0.1, 0.6])
    sure = Bin(pytest.approx(0.9), pytest.approx(2 / 3), 3)
    assert found.bins == (Bin(pytest.approx(0.6), 1.0, 1), sure)
    assert found.error == pytest.approx((1 * abs(0.6 - 1) + 3 * abs(0.9 - 2 / 3)) / 4)


def test_an_undecided_verdict_is_half_right():
    assert calibration([0.5, 0.5]) == (0.0, (Bin(0.5, 0.5, 2),))


def test_certainty_falls_into_the_last_bin():
    assert calibration([1.0, 0.95]).bins == (Bin(pytest.approx(0.975), 1.0, 2),)


def test_unknown_is_left_out():
    assert calibration([0.8, math.nan]) == calibration([0.8])


@pytest.mark.parametrize("wrong", [[], [math.nan], [1.2], [-0.1, 0.5]])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(OperantError):
        calibration(wrong)


def test_auroc_by_hand():
    # Positives 3 and 1 against negatives 2 and 1: 3 > 2, 3 > 1, 1 < 2, 1 = 1 (one half) -> 2.5 of 4.
    assert auroc([3, 1, 2, 1], [True, True, False, False]) == 2.5 / 4


def test_auroc_turns_with_the_order():
    scores, marks = [0.1, 0.7, 0.4, 0.2], [False, True, True, False]
    assert auroc([-one for one in scores], marks) == 1 - auroc(scores, marks)


def test_auroc_needs_both_kinds():
    with pytest.raises(OperantError, match="some of each kind"):
        auroc([1.0, 2.0], [True, True])
