"""The answer grammar: exact, bounded, and total in the sense that a text is a number or refused with a reason."""

import time
from fractions import Fraction

import pytest

from operant.domains.text.maths.numbers import BITS, DEPTH, LENGTH, Unreadable, number


@pytest.mark.parametrize(
    "text, value",
    [
        ("18", 18),
        ("1,234.50", Fraction(123450, 100)),
        ("1,234,567", 1234567),
        ("-5", -5),
        ("\u22127", -7),
        ("--5", 5),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("0.1 + 0.2", Fraction(3, 10)),  # which floats do not say
        ("3/4", Fraction(3, 4)),
        ("1 1/2", 1 + Fraction(1, 2)),
        ("2 + 3 * 4", 2 + 3 * 4),
        ("2 x 10^3", 2 * 10**3),
        ("8 - 3 - 2", 8 - 3 - 2),
        ("8 / 4 / 2", Fraction(8, 4) / 2),
        ("2^3^2", 2 ** (3**2)),
        ("2**10", 2**10),
        ("-2^2", -(2**2)),
        ("2^-2", Fraction(1, 4)),
        ("(1 + 2) \u00d7 (3 \u00f7 4)", 3 * Fraction(3, 4)),
        ("1.5e3", 1500),
        ("1E-3", Fraction(1, 1000)),
        ("50%", Fraction(1, 2)),
        ("\\frac{1}{2}", Fraction(1, 2)),
        ("1\\frac{1}{2}", 1 + Fraction(1, 2)),
        ("\\dfrac{1+2}{2^{3}}", Fraction(3, 8)),
        ("\\left( 1{,}000 \\right) \\cdot 2", 2000),
        ("  42 . ", 42),
    ],
)  # fmt: skip
def test_values(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    "text, value",
    [
        ("$18", 18),
        ("-$5", -5),
        ("18 eggs", 18),
        ("$1,000.00 dollars", 1000),
        ("18\\text{ eggs}", 18),
        ("3/4 cup", Fraction(3, 4)),
        ("5 m/s", 5),
        ("$18$", 18),
    ],
)
def test_units_are_dropped_where_that_is_asked_for(text, value):
    assert number(text, units=True) == value
    with pytest.raises(Unreadable):
        number(text)


def test_percent_as_a_unit():
    assert (number("50%", percent=False), number("50%")) == (50, Fraction(50, 100))


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "a number is missing"),
        ("abc", "'abc' is not understood"),
        ("3 4", "'4' is left over"),
        ("1,23", "',23' is not understood"),
        ("1,2345", "is not understood"),
        ("1/0", "divides by zero"),
        ("\\frac{1}{0}", "divides by zero"),
        ("0^-1", "divides by zero"),
        ("2^(1/2)", "not a whole number between -100 and 100"),
        ("2^101", "not a whole number between -100 and 100"),
        ("9^9^9", "not a whole number between -100 and 100"),
        ("(9^99)^99", f"more than {BITS} bits"),
        ("(10^50)^50 - 1", f"more than {BITS} bits"),
        ("1e999", "beyond 100"),
        ("1 +", "a number is missing"),
        ("(1", "'\\(' is not closed"),
        ("\\frac12", "wants two parts in braces"),
        ("12 apples and 4", "is not understood"),
        ("__import__('os')", "is not understood"),
        ("1.__class__", "is not understood"),
        ("\u0661\u0662", "is not understood"),  # digits of another script are not ours
        ("(" * (DEPTH + 1) + "1" + ")" * (DEPTH + 1), f"nests more than {DEPTH} levels"),
        ("-" * (DEPTH + 1) + "1", f"nests more than {DEPTH} levels"),
        ("1" * (LENGTH + 1), f"at most {LENGTH}"),
    ],
)  # fmt: skip
def test_refusals(text, why):
    with pytest.raises(Unreadable, match=why):
        number(text)


@pytest.mark.parametrize("unit", ["9", "9^", "(", "-", "1/3+", "9^99*", "1,", "1e99*", "\\frac{", "1 1/", "x", " "])
def test_every_text_is_read_at_once(unit):
    text = (unit * LENGTH)[:LENGTH]
    started = time.process_time()
    for _ in range(20):
        try:
            number(text, units=True)
        except Unreadable:
            pass
    assert (time.process_time() - started) / 20 < 0.05
