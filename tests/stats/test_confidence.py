"""Calibration error by hand."""

import pytest

from operant.errors import BadValue
from operant.stats.confidence import calibration_error


def test_two_bins_by_hand():
    # confidences .9 .9 | .6 .6, right 1 1 | 1 0: |.9 - 1| * 2/4 + |.6 - .5| * 2/4
    found = calibration_error([0.9, 0.9, 0.6, 0.6], [1, 1, 1, 0], bins=10)
    assert found == pytest.approx(0.1 * 0.5 + 0.1 * 0.5)


def test_errors_within_a_bin_cancel_and_between_bins_do_not():
    # one bin for both: |(.9 + .6)/2 - (0 + 1)/2| = .25; a bin each: (.9 + .4) / 2
    assert calibration_error([0.9, 0.6], [0, 1], bins=1) == pytest.approx(0.25)
    assert calibration_error([0.9, 0.6], [0, 1], bins=10) == pytest.approx((0.9 + 0.4) / 2)


def test_the_ends_have_a_bin():
    assert calibration_error([0.0, 1.0], [0, 1]) == 0
    with pytest.raises(BadValue, match="between 0 and 1"):
        calibration_error([1.5], [1])
