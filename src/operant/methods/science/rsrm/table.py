"""The tree search over tokens, and the double Q table that turns what finished formulas were worth into its prior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from operant.domains.symbolic.expression import Tokens
from operant.methods.science.rsrm.growing import Growing, Rules

Selection = Literal["code", "uct", "random"]
Worth = Callable[[Tokens], float]  # reward of a finished formula
STEP = -0.1  # reward of a token that does not finish the formula


@dataclass(frozen=True, kw_only=True)
class Searched:
    """How the search looks; settings of the release."""

    selection: Selection = "code"
    eps: float = 0.6  # how often the table decides, once every token has been tried
    tries: int = 10  # of every legal token before the table is asked
    weight: float = 2**0.5  # of the bonus for seldom tried tokens, with "uct"
    rate: float = 1e-3  # of the table
    discount: float = 0.95
    rollouts: int = 100  # from every prefix


class Place:
    """What is known of a prefix: two tables of values, visits and the best reward below, by next token."""

    def __init__(self, size: int):
        self.values: NDArray[np.float64] = np.zeros((2, size))
        self.visits: NDArray[np.int64] = np.zeros(size, dtype=int)
        self.best: NDArray[np.float64] = np.full(size, -np.inf)


class Table:
    """Prefixes that were come upon. What finished formulas are worth goes up as the maximum, not the mean."""

    def __init__(self, rules: Rules, how: Searched, rng: np.random.Generator):
        self.rules, self.how, self.rng = rules, how, rng
        self.places: dict[Tokens, Place] = {}

    def episode(self, worth: Worth, spent: Callable[[], bool]) -> None:
        """Fill in a formula token by token, each the one with the best reward below after `rollouts` tries."""
        growing = Growing(self.rules)
        while not growing.whole:
            for _ in range(self.how.rollouts):
                if spent():
                    return
                self.roll_out(tuple(growing.tokens), worth)
            best = self.place(tuple(growing.tokens)).best
            growing.add(self.rules.vocabulary[int(best.argmax())])

    def roll_out(self, prefix: Tokens, worth: Worth) -> float:
        """Finish a formula from the prefix, learn from what it is worth, and tell every prefix on the way."""
        growing, steps = Growing(self.rules, prefix), list[tuple[Place, int]]()
        while not growing.whole:
            place = self.place(tuple(growing.tokens))
            action = self.choose(place, growing.legal())
            steps.append((place, action))
            growing.add(self.rules.vocabulary[action])
        got = worth(tuple(growing.tokens))
        for at, (place, action) in enumerate(steps):
            following = steps[at + 1][0] if at + 1 < len(steps) else None
            self.learn(place, action, got if following is None else STEP, following)
            place.visits[action] += 1
            place.best[action] = max(place.best[action], got)
        return got

    def place(self, prefix: Tokens) -> Place:
        return self.places.setdefault(prefix, Place(len(self.rules.vocabulary)))

    def choose(self, place: Place, legal: NDArray[np.bool_]) -> int:
        """The next token, by the selection that was asked for."""
        allowed = np.flatnonzero(legal)
        if self.how.selection == "uct":
            return int(allowed[self._upper(place, allowed).argmax()])
        fresh = allowed[place.visits[allowed] < self.how.tries]
        if self.how.selection == "random" or not len(fresh) and self.rng.random() >= self.how.eps:
            return int(allowed[int(self.rng.random() * len(allowed))])
        if len(fresh):
            return int(fresh[int(self.rng.random() * len(fresh))])
        return int(np.searchsorted(prior(place, legal).cumsum(), self.rng.random(), side="right"))

    def _upper(self, place: Place, allowed: NDArray[np.int64]) -> NDArray[np.float64]:
        visits = place.visits[allowed]
        bonus = np.sqrt(np.log(max(1, visits.sum())) / np.maximum(visits, 1))
        return np.where(visits == 0, np.inf, place.values[:, allowed].mean(0) + self.how.weight * bonus)

    def learn(self, place: Place, action: int, got: float, following: Place | None) -> None:
        """One step of double Q learning: a coin says which table learns, from the other's value of what follows."""
        one = int(self.rng.random() < 0.5)
        ahead = 0.0 if following is None else self.how.discount * following.values[1 - one].max()
        place.values[one, action] += self.how.rate * (got + ahead - place.values[one, action])


def prior(place: Place, legal: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Softmax of the summed tables over legal tokens; exactly 0 on the others."""
    logits = np.where(legal, place.values.sum(0), -np.inf)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
