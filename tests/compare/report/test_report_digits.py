from math import inf, nan

import pytest

from operant.compare.report import digits


def cell(mean, half=None):
    return {"mean": mean, "low": None if half is None else mean - half, "high": None if half is None else mean + half}


@pytest.mark.parametrize(
    "half, places",
    [(0.021, 3), (0.06, 2), (0.2, 2), (4.0, 0), (15.0, 0), (1e-9, 4)],  # 1 or 2 in front: one digit more; 4 at most
)
def test_decimals_come_from_the_interval(half, places):
    assert digits.places([cell(0.5, half)]) == places


def test_without_an_interval_three_digits_of_the_mean():
    assert digits.places([cell(0.0123)]) == 4  # 0.0123
    assert digits.places([cell(12.3)]) == 1  # 12.3
    assert digits.places([None, cell(None)]) == 2


def test_a_column_shares_its_decimals():
    assert digits.places([cell(1.0, 0.02), cell(1.0, 0.02), cell(1.0, 0.4)]) == 3  # the median half-width, 0.02


def test_mean_and_interval():
    assert digits.plus_minus(cell(0.634, 0.021)) == "0.634 ± 0.021"
    assert digits.interval(cell(0.634, 0.021)) == "[0.613, 0.655]"
    assert digits.plus_minus(cell(3.0)) == "3.00" and digits.interval(cell(3.0)) == ""
    assert digits.plus_minus(None) == digits.NOTHING


def test_numbers_have_a_real_minus_and_no_signed_zero():
    assert digits.number(-0.5, 2) == "\u22120.50"
    assert digits.number(-0.001, 2) == "0.00"
    assert digits.number(0.001, 2, signed=True) == "0.00"
    assert digits.number(0.05, 2, signed=True) == "+0.05"


@pytest.mark.parametrize("value", [None, nan, inf, "3", True])
def test_what_is_no_number_is_a_dash(value):
    shown = {form(value) for form in (digits.number, digits.count, digits.flops, digits.percent, digits.p_value)}
    assert shown == {digits.NOTHING}


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (1.2e12, "1.2 TFLOP"),
        (999.6e9, "1.0 TFLOP"),
        (460e9, "460 GFLOP"),
        (3e25, "30,000 ZFLOP"),
        (50, "50 FLOP"),
    ],
)
def test_flops_by_thousands(value, text):
    assert digits.flops(value) == text


def test_counts_percents_ratios_and_p():
    assert digits.count(312400) == "312,400" and digits.count(12_345_678) == "12.3 M"
    assert digits.percent(0.049) == "4.9%" and digits.percent(0.99) == "99%"
    assert digits.times(1.0) == "1×" and digits.times(1.4) == "1.4×" and digits.times(17.2) == "17×"
    assert digits.p_value(0.0004) == "< 0.001" and digits.p_value(0.0312) == "0.031"


def test_the_kinds_of_kl_look_different():
    shown = {digits.kl(cell(2.0) | {"kind": kind}, 1) for kind in ("estimate", "bound", "exact", "none")}
    assert shown == {"≈ 2.0", "≤ 2.0", "= 2.0", digits.NOTHING}
