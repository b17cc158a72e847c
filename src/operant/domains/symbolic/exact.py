"""Whether two formulas are the same: points refuse, algebra agrees. Built from tokens; no text is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from operant.domains.symbolic.expression import Token, compute, tree
from operant.sandbox import Limits, Worker

LIMITS = Limits(seconds=5.0, memory_mb=2048, start_seconds=60.0)
NEAR = 1e-6  # constants this close to a fraction with a small denominator are taken for it
_WORKER: list[Worker] = []


def same(found: Sequence[Token], truth: Sequence[Token], *, variables: int) -> bool | None:
    """Equal as functions: None where algebra came to no end in time, though the values agree.

    First at random points, where formulas that differ nearly always do; then by simplifying the difference, in a
    process of its own that can be killed.
    """
    if not _agree(found, truth, variables):
        return False
    if not _WORKER:
        _WORKER.append(Worker(LIMITS))
    outcome = _WORKER[0].run(differ_by_nothing, list(found), list(truth))
    return outcome.value if outcome.why == "" else None


def _agree(found: Sequence[Token], truth: Sequence[Token], variables: int) -> bool:
    points = np.random.default_rng(0).uniform(0.3, 0.9, size=(12, max(1, variables)))
    ours, theirs = compute(tuple(found), points), compute(tuple(truth), points)
    both = np.isfinite(ours) & np.isfinite(theirs)
    return bool(both.any()) and bool(np.allclose(ours[both], theirs[both], rtol=1e-4, atol=1e-6))


def differ_by_nothing(found: Sequence[Token], truth: Sequence[Token]) -> bool:
    """In the child: whether the difference of the two simplifies to 0."""
    import sympy

    difference = to_sympy(found) - to_sympy(truth)
    return bool(sympy.simplify(sympy.expand(difference)) == 0) or bool(sympy.simplify(difference) == 0)


def to_sympy(tokens: Sequence[Token]) -> Any:
    """The formula as a sympy expression, over positive variables; numbers near small fractions become those."""
    return _symbolic(tree(tokens))


def _symbolic(one: Any) -> Any:
    import sympy

    parts = [_symbolic(part) for part in one.parts]
    if isinstance(one.token, int | float):
        return _number(float(one.token))
    if not parts:
        return sympy.Symbol(one.token, positive=True)
    made = {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
        "pow": lambda a, b: a**b, "exp": sympy.exp, "log": sympy.log, "sin": sympy.sin, "cos": sympy.cos,
        "sqrt": sympy.sqrt, "tanh": sympy.tanh, "asin": sympy.asin, "acos": sympy.acos, "neg": lambda a: -a,
    }  # fmt: skip
    return made[one.token](*parts)


def _number(value: float) -> Any:
    import sympy

    near = Fraction(value).limit_denominator(100)
    if abs(float(near) - value) <= NEAR * max(1.0, abs(value)):
        return sympy.Rational(near.numerator, near.denominator)
    if abs(value / np.pi - round(value / np.pi)) < NEAR:
        return round(value / np.pi) * sympy.pi
    return sympy.Float(value)
