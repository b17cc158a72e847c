"""The formulas to be found: Nguyen's set, and formulas of physics in the manner of Feynman's lectures."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """A formula over x1, x2, ..., and where its points are drawn."""

    name: str
    formula: str
    low: float
    high: float
    variables: int = 1


# Uy et al. 2011, Genetic Programming and Evolvable Machines 12, table 3; Nguyen-11 and 12 over both variables.
NGUYEN = (
    Target("nguyen-1", "x1^3 + x1^2 + x1", -1, 1),
    Target("nguyen-2", "x1^4 + x1^3 + x1^2 + x1", -1, 1),
    Target("nguyen-3", "x1^5 + x1^4 + x1^3 + x1^2 + x1", -1, 1),
    Target("nguyen-4", "x1^6 + x1^5 + x1^4 + x1^3 + x1^2 + x1", -1, 1),
    Target("nguyen-5", "sin(x1^2) * cos(x1) - 1", -1, 1),
    Target("nguyen-6", "sin(x1) + sin(x1 + x1^2)", -1, 1),
    Target("nguyen-7", "log(x1 + 1) + log(x1^2 + 1)", 0, 2),
    Target("nguyen-8", "sqrt(x1)", 0, 4),
    Target("nguyen-9", "sin(x1) + sin(x2^2)", 0, 1, 2),
    Target("nguyen-10", "2 * sin(x1) * cos(x2)", 0, 1, 2),
    Target("nguyen-11", "x1^x2", 0, 1, 2),
    Target("nguyen-12", "x1^4 - x1^3 + x2^2 / 2 - x2", 0, 1, 2),
)
PHYSICS = (
    Target("kinetic", "x1 * x2^2 / 2", 1, 3, 2),
    Target("lens", "x1 * x2 / (x1 + x2)", 1, 3, 2),
    Target("wave", "x1 * cos(x2) * sin(x2)", 1, 3, 2),
    Target("decay", "x1 * exp(0 - x2)", 1, 3, 2),
)
TARGETS = NGUYEN + PHYSICS
