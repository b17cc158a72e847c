"""Equal as functions, by algebra; and formulas as sums of terms."""

import pytest

from operant.domains.symbolic.exact import differ_by_nothing, same
from operant.domains.symbolic.expression import infix
from operant.domains.symbolic.grammar import read
from operant.domains.symbolic.sums import from_sympy, summed, terms


def formula(text):
    return read(text, variables=["x1", "x2"])


@pytest.mark.parametrize(
    "one, other, equal",
    [
        ("x1*(x1 + 1)", "x1^2 + x1", True),
        ("exp(x2*log(x1))", "x1^x2", True),
        ("log(x1 + 1) + log(x1^2 + 1)", "log((x1 + 1)*(x1^2 + 1))", True),
        ("2*sin(x1)*cos(x1)", "sin(2*x1)", True),
        ("0.5000000001*x1", "x1/2", True),  # a fitted constant near a fraction
        ("x1^2 + x1", "x1^2 + x2", False),
        ("x1", "1.01*x1", False),
        ("log(0 - x1)", "x1", False),  # defined nowhere
    ],
)
def test_same_formula(one, other, equal):
    assert same(formula(one), formula(other), variables=2) is equal


def test_algebra_has_the_last_word():
    # they agree to 1e-4 of their values at every point, and are not equal
    assert differ_by_nothing(formula("x1 + 0.00002 * x2"), formula("x1")) is False
    assert same(formula("x1 + 0.00002 * x2"), formula("x1"), variables=2) is False


def test_terms_of_an_expanded_formula():
    found = {str(term) for term in terms(formula("x1*(x1 + sin(x2)) - 3"))}
    assert found == {"x1**2", "x1*sin(x2)", "-3"}


def test_a_formula_without_a_value_has_no_terms():
    assert terms(formula("1/(x1 - x1)")) == []


@pytest.mark.parametrize("text", ["x1^2 - 3*x1*x2", "sqrt(x1)/x2", "exp(x1)*sin(x2)*cos(x1)", "1/x1 + log(x2)"])
def test_sympy_and_back(text):
    again = summed(terms(formula(text)))
    assert same(again, formula(text), variables=2), infix(again)


def test_a_number_alone():
    (only,) = terms(formula("2 + 3"))
    assert from_sympy(only) == (5.0,)
