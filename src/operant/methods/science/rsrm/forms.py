"""The modulated sub-tree discovery block: what good formulas share is frozen, and only the rest is looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from operant.domains.symbolic.expression import Tokens
from operant.domains.symbolic.sums import from_sympy, summed, terms
from operant.methods.science.rsrm.scoring import Found

MOST = 20  # formulas that are looked at
SHARE = 0.5  # of the formulas kept, that must have a term
NEAR = 0.1  # of the best one's error over its own, below which a formula beyond the second is not kept
EXACT = 1e-99  # an error below which there is nothing left to look for


@dataclass(frozen=True)
class Form:
    """A frozen part A, and how what is looked for joins it: A + F, A * F or A ^ F."""

    operator: Literal["add", "mul", "pow"]
    part: Tokens

    def around(self, rest: Tokens) -> Tokens:
        return (self.operator, *self.part, *rest)


class Ranked(NamedTuple):
    """A formula, and how often the search came upon it."""

    found: Found
    times: int


def form_of(ranked: Sequence[Ranked]) -> Form | None:
    """The form that the best formulas suggest: a product, a power, or a sum; nothing where they share none.

    Source: Xu et al. 2024, arXiv:2305.14656, sec. 3.4; thresholds of the release.
    """
    best = sorted(ranked, key=lambda one: one.found.error)[:MOST]
    if not best or best[0].found.error < EXACT:
        return None
    split = [terms(one.found.tokens) for one in best]
    return _product(split) or _power(split) or _sum(best, split)


def _product(split: Sequence[list[Any]]) -> Form | None:
    """The first formula that is c or c * x in every term, with at least one constant that is not 1."""
    for some in split:
        pairs = [term.as_coeff_Mul() for term in some]
        symbols = {rest for _, rest in pairs if not rest.is_number}
        linear = len(symbols) == 1 and all(rest.is_Symbol or rest.is_number for _, rest in pairs)
        if linear and any(rest.is_number or number != 1 for number, rest in pairs):
            return Form("mul", summed(some))
    return None


def _power(split: Sequence[list[Any]]) -> Form | None:
    """The first formula whose terms are all powers of one variable or of one short part."""
    for some in split:
        bases = {term.as_base_exp()[0] for term in some if term.is_Pow}
        if some and len(bases) == 1 and all(term.is_Pow for term in some):
            base = from_sympy(bases.pop())
            if len(base) <= 3:
                return Form("pow", base)
    return None


def _sum(best: Sequence[Ranked], split: Sequence[list[Any]]) -> Form | None:
    """The terms that at least half of the good formulas have."""
    least = best[0].found.error
    kept = [(one, some) for place, (one, some) in enumerate(zip(best, split, strict=True))
            if place < 2 or one.found.error and least / one.found.error > NEAR]  # fmt: skip
    counted: Counter[Any] = Counter()
    for one, some in kept:
        for term in some:
            counted[term] += one.times
    number = sum(one.times for one, _ in kept)
    shared = [term for term, count in counted.items() if count >= SHARE * number]
    return Form("add", summed(shared)) if shared else None
