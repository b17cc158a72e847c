"""Formulas as sums of terms: what several formulas have in common is a term, wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operant.domains.symbolic.exact import to_sympy
from operant.domains.symbolic.expression import Token, Tokens

MOST_TERMS = 40  # of an expanded formula; a longer one is taken as a single term


def terms(tokens: Sequence[Token]) -> list[Any]:
    """The terms of the expanded formula, as sympy expressions; nothing for a formula without a value."""
    import sympy

    whole = to_sympy(tokens)
    if whole.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        return []
    expanded = sympy.expand(whole, multinomial=True, power_exp=False, power_base=False, log=False)
    found = list(sympy.Add.make_args(expanded))
    return found if len(found) <= MOST_TERMS else [whole]


def summed(some: Sequence[Any]) -> Tokens:
    """The sum of these terms as tokens."""
    import sympy

    return from_sympy(sympy.Add(*some))


def from_sympy(expression: Any) -> Tokens:
    """A sympy expression of our operators as tokens."""
    import sympy

    if expression.is_Symbol:
        return (str(expression),)
    if expression.is_number:
        return (float(expression),)
    if isinstance(expression, sympy.Add | sympy.Mul):
        first, *rest = expression.args
        return _folded("add" if expression.is_Add else "mul", from_sympy(first), rest)
    if isinstance(expression, sympy.exp):
        return ("exp", *from_sympy(expression.args[0]))
    if isinstance(expression, sympy.Pow):
        base, exponent = expression.args
        if exponent == -1:
            return ("div", 1.0, *from_sympy(base))
        return ("sqrt", *from_sympy(base)) if exponent == sympy.Rational(1, 2) else (
            "pow", *from_sympy(base), *from_sympy(exponent))  # fmt: skip
    return (type(expression).__name__, *from_sympy(expression.args[0]))


def _folded(operator: str, left: Tokens, rest: Sequence[Any]) -> Tokens:
    for one in rest:
        left = (operator, *left, *from_sympy(one))
    return left
