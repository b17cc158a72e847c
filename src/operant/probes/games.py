"""A prompt as a game: its parts are players, and those outside a coalition take a background value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import numpy as np

from operant.disk import answer_seed
from operant.errors import OperantError, UnknownName, require

Array = np.ndarray
Background = Literal["drop", "neutral", "mask", "resample"]
MASK = "_"
TRIES = 200  # draws of a background before an impossible one is given up
_FIELD = re.compile(r"\{\{ *([^{}]*?) *\}\}")


@dataclass(frozen=True, kw_only=True)
class PromptGame:
    """A template with fields in double braces, the value that each has, and what it has outside a coalition.

    drop      the empty string, and the text around it mended
    neutral   one placeholder of the same kind
    mask      one mark for anything
    resample  a value from the field's list, drawn anew for every draw; `allowed` refuses impossible combinations
    """

    template: str
    fields: Mapping[str, str]  # in the order of the players
    background: Background = "drop"
    neutral: Mapping[str, str] = field(default_factory=dict)  # placeholder of each field
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what each field may be drawn from
    allowed: Callable[[Mapping[str, str]], bool] | None = None  # None: every combination
    constants: Mapping[str, str] = field(default_factory=dict)  # fields that are no players
    seed: int = 0

    def __post_init__(self) -> None:
        named = set(_FIELD.findall(self.template))
        for name in named - {*self.fields, *self.constants}:
            raise UnknownName("field of the template", name, [*self.fields, *self.constants])
        missing = [name for name in self.fields if name not in named]
        require(
            not missing, "template", self.template[:60], f"text with {{{{ {missing[0] if missing else ''} }}}} in it"
        )
        for kind, given in (("neutral", self.neutral), ("resample", self.values)):
            bare = [name for name in self.fields if self.background == kind and not given.get(name)]
            require(not bare, "background", self.background, f"a value for {bare[0] if bare else ''}")

    @property
    def players(self) -> tuple[str, ...]:
        return tuple(self.fields)

    def render(self, inside: Sequence[bool], draw: int = 0) -> str:
        """The prompt in which players outside the coalition have their background value.

        Text within fields is never read as a template.
        """
        outside = {name for name, there in zip(self.fields, inside, strict=True) if not there}
        given = self._drawn(outside, draw) if self.background == "resample" else {**self.fields, **self._fixed(outside)}
        pieces = _FIELD.split(self.template)
        return _joined(pieces, {**given, **self.constants}, dropped=outside if self.background == "drop" else set())

    def _fixed(self, outside: set[str]) -> dict[str, str]:
        if self.background == "neutral":
            return {name: self.neutral[name] for name in outside}
        return dict.fromkeys(outside, "" if self.background == "drop" else MASK)

    def _drawn(self, outside: set[str], draw: int) -> dict[str, str]:
        """One draw gives every field a value, whichever are outside, so that coalitions of a draw share it."""
        for attempt in range(TRIES):
            rng = Random(answer_seed(self.seed, "background", draw, attempt))
            values = {name: rng.choice(list(self.values[name])) for name in self.fields}
            given = {name: values[name] if name in outside else self.fields[name] for name in self.fields}
            if self.allowed is None or self.allowed(given):
                return given
        raise OperantError(f"no background of {sorted(outside)} was allowed in {TRIES} draws; widen the value lists")


def _joined(pieces: Sequence[str], given: Mapping[str, str], *, dropped: set[str]) -> str:
    """Literals and values in turn. Where a field was dropped, one of the two spaces or line ends around it goes too."""
    text, names, literals = pieces[0], pieces[1::2], pieces[2::2]
    for place, (name, literal) in enumerate(zip(names, literals, strict=True)):
        text += given[name]
        if name not in dropped:
            text += literal
        elif not literal and text[-1:] == " " and not any(given[one] for one in names[place + 1 :]):
            text = text[:-1]  # the last one, with nothing behind it
        elif literal[:1] == "\n" and text[-1:] == " " or literal[:1] in tuple(".,;:!?") and text[-1:] == " ":
            text = text[:-1] + literal
        else:
            text += literal[1:] if literal[:1].isspace() and text[-1:] in ("", literal[:1]) else literal
    return text


class Played:
    """Games in front of a function from texts to values: every text is asked once, whatever coalition it came from."""

    def __init__(self, game: PromptGame, ask: Callable[[Sequence[str]], Sequence[float]]):
        self.game, self.ask = game, ask
        self.known: dict[str, float] = {}

    def __call__(self, coalitions: Array, draws: Array) -> Array:
        texts = [self.game.render(row, int(draw)) for row, draw in zip(coalitions, draws, strict=True)]
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known |= zip(new, self.ask(new), strict=True)
        return np.array([self.known[text] for text in texts], dtype=float)


def one_less(played: Played) -> Array:
    """v(all) - v(all but one) of every player. They need not add up to what all are worth: what two do is in both."""
    players = len(played.game.players)
    rows = np.concatenate([np.ones((1, players), dtype=bool), ~np.eye(players, dtype=bool)])
    values = played(rows, np.zeros(len(rows), dtype=int))
    return values[0] - values[1:]


def logit(chances: Array, *, floor: float = 1e-6) -> Array:
    """log p / (1 - p), p kept `floor` away from 0 and 1: effects that saturate as probabilities show here."""
    kept = np.clip(chances, floor, 1 - floor)
    return np.log(kept / (1 - kept))


def spearman(one: Array, two: Array) -> float:
    """Rank correlation of two attributions; NaN where one is flat."""
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in (one, two)]
    if any(np.ptp(values) == 0 for values in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def logit_utilities(attributes: Array, chosen: Array, *, ridge: float = 1e-3, rounds: int = 50) -> Array:
    """Utility of each attribute in a binary choice, by logistic regression with a small ridge (Newton's method).

    P(first is chosen) = sigmoid(difference of attributes @ utility)

    Args: attributes [choices, attributes]: of the first option less those of the second. chosen [choices] 0 to 1.
    """
    rows, target = np.asarray(attributes, dtype=float), np.asarray(chosen, dtype=float)
    require(rows.ndim == 2 and len(rows) == len(target), "chosen", target.shape, f"one for each of {len(rows)} choices")
    found = np.zeros(rows.shape[1])
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        gradient = rows.T @ (target - chance) - ridge * found
        curvature = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge * np.eye(len(found))
        step = np.linalg.solve(curvature, gradient)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return found
