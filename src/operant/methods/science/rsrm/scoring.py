"""What a formula is worth: constants fitted, error, reward. Every computation over the points is an evaluation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from operant.domains.symbolic.expression import (
    PLACEHOLDER,
    Points,
    Token,
    Tokens,
    Tree,
    arity,
    compute,
    filled,
    tree,
)
from operant.domains.symbolic.samples import Samples
from operant.meter import charge

Measure = Literal["rmse", "squared sum"]
SHORTEST = 6  # tokens; a shorter formula gets no reward, since it tells the search nothing
ETA = 0.99
REPEATS = 10  # formulas that a search may come upon for each evaluation that it has


@dataclass(frozen=True)
class Found:
    """A formula and how far it is off."""

    tokens: Tokens
    error: float  # infinite where it is not defined somewhere

    @property
    def fitness(self) -> float:
        """To be minimised: the error, and 1% for every token."""
        return self.error * ETA ** -len(self.tokens)


NOTHING = Found((0.0,), np.inf)


@dataclass
class Scoring:
    """Scores formulas on samples until the evaluations are spent; what was scored before is not computed again.

    A search that comes upon the same formulas again and again would never spend them: it is over after REPEATS times as
    many formulas, new or not, as it had evaluations.
    """

    samples: Samples
    evaluations: int
    measure: Measure
    fit_constants: bool
    rng: np.random.Generator
    best: Found = NOTHING
    seen: dict[Tokens, Found] = field(default_factory=dict)
    counts: dict[Tokens, int] = field(default_factory=dict)  # how often each was come upon

    def __post_init__(self) -> None:
        self.left = REPEATS * self.evaluations  # formulas that may still be asked for

    @property
    def spent(self) -> bool:
        return min(self.evaluations, self.left) <= 0

    def score(self, tokens: Sequence[Token]) -> Found:
        """The formula with its constants fitted, and its error."""
        key = tuple(tokens)
        self.left -= 1
        self.counts[key] = self.counts.get(key, 0) + 1
        if key not in self.seen:
            self.seen[key] = self._fitted(merged(key) if PLACEHOLDER in key else key)
            self.best = min(self.best, self.seen[key], key=lambda one: (one.error, len(one.tokens)))
        return self.seen[key]

    def _fitted(self, tokens: Tokens) -> Found:
        count = tokens.count(PLACEHOLDER)
        if not count or not self.fit_constants:
            ones = [1.0] * count
            return Found(filled(tokens, ones), self._error(tokens, ones))
        start = self.rng.normal(size=count)
        with warnings.catch_warnings():  # of line searches over values that are not defined
            warnings.simplefilter("ignore")
            got = minimize(lambda values: min(self._error(tokens, values), 1e300), start, method="Powell", tol=1e-6,
                           options={"maxiter": 10, "maxfev": max(1, self.evaluations)})  # fmt: skip
        return Found(filled(tokens, [float(value) for value in np.atleast_1d(got.x)]), float(got.fun))

    def _error(self, tokens: Tokens, constants: Sequence[float]) -> float:
        self.evaluations -= 1
        charge(evaluations=1)
        return error(compute(tokens, self.samples.points, constants), self.samples.values, measure=self.measure)


def error(given: Points, wanted: Points, *, measure: Measure) -> float:
    """Root mean square, or as in the release the squared sum of absolute differences over their number."""
    with np.errstate(all="ignore"):
        off = np.abs(given - wanted)
        found = np.sqrt((off**2).mean()) if measure == "rmse" else off.sum() ** 2 / len(off)
    return float(found) if np.isfinite(found) else np.inf


def reward(length: int, error: float, *, shortest: int = SHORTEST) -> float:
    """eta^length / (1 + error); 0 where it is not defined, and for formulas too short to tell anything.

    Source: Xu et al. 2024, arXiv:2305.14656, eq. 2; eta and the shortest length of the release.
    """
    return 0.0 if length < shortest or not np.isfinite(error) else ETA**length / (1 + error)


def merged(tokens: Tokens) -> Tokens:
    """The formula with constants joined: a part without variables that has a placeholder is one placeholder.

    C * (C * x) is C * x, and C + (C + x) is C + x.
    """
    return _merged(tree(tokens)).tokens()


def _merged(one: Tree) -> Tree:
    parts = tuple(map(_merged, one.parts))
    leaves = [token for part in parts for token in part.tokens() if not arity(token)]
    if parts and PLACEHOLDER in leaves and not any(isinstance(leaf, str) and leaf != PLACEHOLDER for leaf in leaves):
        return Tree(PLACEHOLDER)
    if one.token in ("add", "mul") and Tree(PLACEHOLDER) in parts:
        (other,) = [part for part in parts if part != Tree(PLACEHOLDER)] or [Tree(PLACEHOLDER)]
        if other.token == one.token and Tree(PLACEHOLDER) in other.parts:
            return other
    return Tree(one.token, parts)
