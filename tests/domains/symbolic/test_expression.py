"""Formulas as tokens: computed, written, read."""

import math

import numpy as np
import pytest

from operant.domains.symbolic.expression import (
    arity,
    checked,
    complete,
    compute,
    filled,
    height,
    infix,
    span,
    tree,
)
from operant.domains.symbolic.grammar import UnreadableFormula, read
from operant.errors import BadValue, OperantError

POINTS = np.array([[1.0, 2.0], [3.0, 4.0]])


def test_pre_order_is_computed_from_the_front():
    # x1 - x2 / 2 at (1, 2) and (3, 4)
    assert compute(("sub", "x1", "div", "x2", 2.0), POINTS).tolist() == [1 - 2 / 2, 3 - 4 / 2]


def test_a_constant_holds_everywhere():
    assert compute((2.5,), POINTS).tolist() == [2.5, 2.5]


def test_placeholders_are_filled_in_their_order():
    tokens = ("sub", "mul", "C", "x1", "C")  # 5 x1 - 7
    assert compute(tokens, POINTS, (5.0, 7.0)).tolist() == [5 - 7, 15 - 7]
    assert compute(filled(tokens, (5.0, 7.0)), POINTS).tolist() == [5 - 7, 15 - 7]
    with pytest.raises(OperantError, match="2 constants to fill in; got 1"):
        compute(tokens, POINTS, (5.0,))


def test_what_is_not_defined_is_not_a_number_and_nobody_is_warned():
    assert np.isnan(compute(("log", "sub", "x1", 2.0), POINTS)[0])
    assert np.isinf(compute(("div", 1.0, "sub", "x1", 1.0), POINTS)[0])


@pytest.mark.parametrize("tokens, whole", [(("add", "x1", "x2"), True), (("add", "x1"), False), (("x1", "x2"), False),
                                           ((), False), (("sin", "sin", "x1"), True)])  # fmt: skip
def test_a_formula_is_whole_or_not(tokens, whole):
    assert complete(tokens) is whole


def test_parts_height_and_tree():
    tokens = ("add", "sin", "x1", "mul", "x2", "x2")
    assert (span(tokens, 1), span(tokens, 3), height(tokens)) == (3, 6, 2)
    assert tree(tokens).tokens() == tokens
    assert [arity(token) for token in tokens] == [2, 1, 0, 2, 0, 0]


@pytest.mark.parametrize("bad", [["add", "x1"], ["x3"], ["import"], []])
def test_tokens_from_a_file_are_checked(bad):
    with pytest.raises(BadValue):
        checked(bad, variables=2)


WRITTEN = [
    (("sub", "x1", "sub", "x2", "x1"), "x1 - (x2 - x1)"),
    (("mul", "add", "x1", 1.0, "x2"), "(x1 + 1)*x2"),
    (("div", "x1", "mul", "x2", "x2"), "x1/(x2*x2)"),
    (("pow", "add", "x1", "x2", 2.0), "(x1 + x2)^2"),
    (("pow", "pow", "x1", 2.0, 3.0), "(x1^2)^3"),
    (("sin", "neg", "x1"), "sin(-x1)"),
    (("mul", -2.0, "x1"), "(-2)*x1"),
    (("exp", "mul", "x1", "x2"), "exp(x1*x2)"),
]


@pytest.mark.parametrize("tokens, text", WRITTEN)
def test_formulas_are_written_with_the_brackets_they_need(tokens, text):
    assert infix(tokens) == text


@pytest.mark.parametrize("tokens, text", WRITTEN)
def test_what_is_written_is_read(tokens, text):
    again = read(text, variables=["x1", "x2"])
    assert compute(again, POINTS) == pytest.approx(compute(tokens, POINTS), nan_ok=True)


@pytest.mark.parametrize(
    "text, value",  # at x1 = 3, x2 = 4
    [
        ("pow(x1,3)+pow(x1,2)+x1", 27 + 9 + 3),
        ("x1**2 - -x2", 9 + 4),
        ("2^3^2", 2**9),
        ("-x1^2", -9),
        ("div(x1,x2)*2*pi", 3 / 4 * 2 * math.pi),
        ("1.5e1 / x1 / 5", 1),
        ("exp(-(x1/x2)**2/2)/sqrt(2*pi)", math.exp(-((3 / 4) ** 2) / 2) / math.sqrt(2 * math.pi)),
        ("ln(x2) + arcsin(x1/x2)", math.log(4) + math.asin(3 / 4)),
    ],
)
def test_formulas_of_benchmark_tables_are_read(text, value):
    assert compute(read(text, variables=["x1", "x2"]), POINTS)[1] == pytest.approx(value)


def test_variables_have_the_names_of_their_table():
    assert read("m*c**2", variables=["m", "c"]) == ("mul", "x1", "pow", "x2", 2.0)


@pytest.mark.parametrize(
    "text", ["", "x1 +", "x1 x2", "(x1", "sin x1", "pow(x1)", "__import__('os')", "x9", "x1; x2", "x1 $ 2"]
)
def test_what_is_no_formula_is_refused_with_the_place(text):
    with pytest.raises(UnreadableFormula, match="formula"):
        read(text, variables=["x1", "x2"])


def test_depth_and_length_are_bounded():
    for text in ("(" * 100 + "x1" + ")" * 100, "-" * 100 + "x1", "x1+" * 1000 + "x1"):
        with pytest.raises(UnreadableFormula, match="deep|at most 2000"):
            read(text, variables=["x1"])
