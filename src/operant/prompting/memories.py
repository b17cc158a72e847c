"""A bank of memories with two channels, meaning and mood, and the orders in which they come back.

Distances, smaller is nearer: d_s = ||s_q - s_m|| of unit vectors, 0 to 2; d_e = 1 - cos(v_q, v_m), 0 to 2.
Source: Huang et al. 2024, arXiv:2410.23041, and the released retrieval code. `standardised` is ours.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal, NamedTuple

import numpy as np

from operant.errors import NotApplicable, OperantError, require

Array = np.ndarray
Strategy = Literal["add", "multiply", "meaning-first", "mood-first", "standardised", "meaning"]
COMBINED = ("add", "multiply", "standardised")


class Memory(NamedTuple):
    """Something a character said."""

    id: str
    role: str
    text: str
    mood: tuple[float, ...]
    dialogue: str = ""  # where it was said


class Distances(NamedTuple):
    """From a query to every memory."""

    meaning: Array
    mood: Array


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """How memories are ranked."""

    strategy: Strategy = "add"
    k: int = 10  # that come back
    pool: int = 20  # that the first of two rankings keeps
    mood_weight: float = 0.5  # of a standardised sum; meaning has the rest

    def __post_init__(self) -> None:
        require(1 <= self.k <= self.pool, "k", self.k, f"1 to {self.pool}, what the first ranking keeps")
        require(0 <= self.mood_weight <= 1, "mood_weight", self.mood_weight, "0 to 1")
        used = self.strategy == "standardised" or self.mood_weight == 0.5
        require(used, "mood_weight", self.mood_weight, f"left out with strategy={self.strategy}")


def ranked(distances: Distances, how: Retrieval) -> list[int]:
    """Places of the nearest memories, nearest first; of equals the first in the bank. Fewer than k: all of them."""
    if how.strategy == "meaning":
        return _order(distances.meaning)[: how.k]
    if how.strategy in COMBINED:
        return _order(combined(distances, how))[: how.k]
    first, second = distances if how.strategy == "meaning-first" else (distances.mood, distances.meaning)
    kept = _order(first)[: how.pool]
    return [kept[place] for place in _order(second[kept])][: how.k]


def combined(distances: Distances, how: Retrieval) -> Array:
    """One number for both: sum, product, or weighted sum of what each is within this query, standardised."""
    meaning, mood = distances
    if how.strategy == "add":
        return meaning + mood
    if how.strategy == "multiply":
        if len(mood) and not mood.any():
            warnings.warn("every memory is in the query's mood: a product is 0 for all, and says nothing", stacklevel=3)
        return meaning * mood
    return (1 - how.mood_weight) * _standard(meaning) + how.mood_weight * _standard(mood)


def mood_share(distances: Distances) -> float:
    """How much of a sum of both the mood decides: its spread over the bank over both spreads, 0 to 1."""
    meaning, mood = (float(side.std()) for side in distances)
    return mood / (meaning + mood) if meaning + mood else 0.0


def distances_to(query: Array, mood: Sequence[float], meanings: Array, moods: Array) -> Distances:
    """Args: query: [width] of length 1. mood: of the query. meanings: [memories, width]. moods: [memories, size]."""
    own = unit(np.asarray([mood], dtype=float), what="the query")[0]
    return Distances(np.linalg.norm(meanings - query, axis=1), 1 - moods @ own)


def unit(vectors: Array, *, what: str) -> Array:
    """Rows of length 1. A row that is zero has no direction: cosine is not defined there."""
    if not np.isfinite(vectors).all():
        raise OperantError(f"a vector of {what} has an entry that is no finite number; expected numbers")
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (sizes == 0).any():
        place = int((sizes[:, 0] == 0).argmax())
        raise OperantError(
            f"vector {place} of {what} is zero, so it has no direction to compare; leave out what has no emotion"
        )
    return vectors / sizes


class Bank:
    """Memories of all characters, with their vectors."""

    def __init__(self, memories: Sequence[Memory], embed: Callable[[Sequence[str]], Array]):
        self.memories, self.embed = list(memories), embed
        sizes = {len(one.mood) for one in memories}
        require(len(sizes) <= 1, "lengths of moods", sorted(sizes), "one length for all memories")
        self.meanings = unit(embed([one.text for one in memories]), what="meanings") if memories else np.zeros((0, 1))
        moods = np.array([one.mood for one in memories], dtype=float) if memories else np.zeros((0, 1))
        self.moods = unit(moods, what="moods") if memories else moods

    def places(self, role: str, *, but: str = "", dialogue: str = "") -> list[int]:
        """Those of a character, without the query itself and what was said in the same dialogue."""
        known = {one.role for one in self.memories}
        if self.memories and role not in known:
            raise NotApplicable(f"nobody called {role!r} has memories; those who have: {', '.join(sorted(known)[:8])}")
        return [
            place for place, one in enumerate(self.memories)
            if one.role == role and one.id != but and not (dialogue and one.dialogue == dialogue)
        ]  # fmt: skip

    def distances(self, text: str, mood: Sequence[float], places: Sequence[int]) -> Distances:
        """To the memories at these places."""
        query = unit(self.embed([text]), what="the query")[0]
        return distances_to(query, mood, self.meanings[list(places)], self.moods[list(places)])


def word_vectors(texts: Sequence[str]) -> Callable[[Sequence[str]], Array]:
    """Vectors of length 1 by words, rare ones counting more, over the words of `texts`; a first entry, small, is there
    for every text, so that none is zero.
    """
    split = [text.lower().split() for text in texts]
    counts = Counter(word for words in split for word in set(words))
    places = {word: place + 1 for place, word in enumerate(sorted(counts))}
    weights = {word: log((1 + len(texts)) / (1 + count)) + 1e-3 for word, count in counts.items()}

    def embed(asked: Sequence[str]) -> Array:
        found = np.zeros((len(asked), len(places) + 1))
        found[:, 0] = 1e-3
        for row, text in enumerate(asked):
            for word, count in Counter(text.lower().split()).items():
                if word in places:
                    found[row, places[word]] = count * weights[word]
        return unit(found, what="words")

    return embed


def _order(values: Array) -> list[int]:
    return [int(place) for place in np.argsort(np.round(values, 12), kind="stable")]


def _standard(values: Array) -> Array:
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread else np.zeros_like(values)
