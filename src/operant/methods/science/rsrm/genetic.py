"""Genetic refinement: tournaments, one-point crossover and new parts, over the best formulas of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from operant.domains.symbolic.expression import Tokens, arity, height, span
from operant.methods.science.rsrm.growing import Growing, Rules
from operant.methods.science.rsrm.scoring import Found

Score = Callable[[Tokens], Found]


@dataclass(frozen=True, kw_only=True)
class Breeding:
    """Settings of the release."""

    population: int = 500
    generations: int = 30
    tournament: int = 10
    crossover: float = 0.1
    mutation: float = 0.5
    max_height: int = 10


def refine(
    start: Sequence[Tokens], score: Score, rules: Rules, how: Breeding, *, spent: Callable[[], bool],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Breed generations from these formulas and random ones; whoever scores keeps what was good."""
    alive = list(start[: how.population])
    alive += [random_formula(rules, rng) for _ in range(how.population - len(alive))]
    worth = _scored(alive, score, spent)
    for _ in range(how.generations):
        if spent():
            return
        drawn = rng.integers(0, len(alive), size=(how.population, how.tournament))
        parents = [alive[min(row, key=lambda place: worth[place])] for row in drawn]
        alive = [child if height(child) <= how.max_height else parent
                 for child, parent in zip(_children(parents, rules, how, rng), parents, strict=True)]  # fmt: skip
        worth = _scored(alive, score, spent)


def _scored(alive: Sequence[Tokens], score: Score, spent: Callable[[], bool]) -> list[float]:
    return [np.inf if spent() else score(one).fitness for one in alive]


def _children(parents: Sequence[Tokens], rules: Rules, how: Breeding, rng: np.random.Generator) -> list[Tokens]:
    children = list(parents)
    for place in range(0, len(children) - 1, 2):
        if rng.random() < how.crossover:
            children[place], children[place + 1] = crossed(children[place], children[place + 1], rng)
    return [mutated(child, rules, rng) if rng.random() < how.mutation else child for child in children]


def crossed(one: Tokens, other: Tokens, rng: np.random.Generator) -> tuple[Tokens, Tokens]:
    """A part of each, exchanged."""
    here, there = int(rng.integers(len(one))), int(rng.integers(len(other)))
    stop, end = span(one, here), span(other, there)
    return one[:here] + other[there:end] + one[stop:], other[:there] + one[here:stop] + other[end:]


def mutated(one: Tokens, rules: Rules, rng: np.random.Generator) -> Tokens:
    """A part replaced by a small random one."""
    here = int(rng.integers(len(one)))
    return one[:here] + random_formula(rules, rng, most=5) + one[span(one, here) :]


def random_formula(rules: Rules, rng: np.random.Generator, *, most: int | None = None) -> Tokens:
    """A legal formula, every token drawn uniformly from the legal ones; of at most `most` tokens."""
    growing = Growing(rules)
    while not growing.whole:
        legal = growing.legal()
        if most is not None and len(growing.tokens) >= most // 2:
            legal = legal & np.array([not arity(token) for token in rules.vocabulary])
        allowed = np.flatnonzero(legal)
        growing.add(rules.vocabulary[int(allowed[int(rng.random() * len(allowed))])])
    return tuple(growing.tokens)
