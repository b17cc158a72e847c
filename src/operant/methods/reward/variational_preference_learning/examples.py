"""Comparisons of many users as training examples: a target, and a few other comparisons of the same user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.errors import NotApplicable
from operant.schema import Pair


class Example(NamedTuple):
    """One comparison to explain, by its place among all, with the places of those that say who its user is."""

    target: int
    context: tuple[int, ...]
    step: int  # of training, in which it is read
    noise: int  # seed of what is drawn for it


@dataclass(frozen=True, kw_only=True)
class Users:
    """Who judged which pair, and to which group each pair's user belongs."""

    of: tuple[str, ...]
    groups: tuple[str | None, ...]

    def places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, user in enumerate(self.of):
            found.setdefault(user, []).append(place)
        return found


def users_of(pairs: Sequence[Pair], column: str, group: str) -> Users:
    """From the columns of the pairs' prompts."""
    missing = [pair.prompt.id for pair in pairs if pair.prompt.columns.get(column) is None]
    if missing:
        raise NotApplicable(
            f"{len(missing)} of {len(pairs)} pairs do not say whose they are, that of prompt {missing[0]!r} first; "
            f"their rows need a column {column!r}, or name another one: user_column=NAME"
        )
    groups = [pair.prompt.columns.get(group) for pair in pairs]
    return Users(
        of=tuple(str(pair.prompt.columns[column]) for pair in pairs),
        groups=tuple(None if one is None else str(one) for one in groups),
    )


def context_of(rng: Random, target: int, pairs: Sequence[Pair], same: Sequence[int], count: int) -> tuple[int, ...]:
    """Places of `count` other comparisons of the user, or as many as there are; never the target's own texts."""
    texts = _texts(pairs[target])
    others = [place for place in same if place != target and _texts(pairs[place]) != texts]
    return tuple(rng.sample(others, min(count, len(others))))


def _texts(pair: Pair) -> tuple[str, frozenset[str]]:
    return pair.prompt.id, frozenset((str(pair.chosen.value), str(pair.rejected.value)))


def examples(
    pairs: Sequence[Pair], users: Users, *, sizes: tuple[int, int], epochs: int, batch_size: int, seed: int
) -> list[Example]:
    """Every pair once an epoch, in the order of training, each time with another context of sizes[0] to sizes[1].

    Users with too few other comparisons are left out; where nobody is left, that is an error.
    """
    same, found = users.places(), list[Example]()
    kept = [place for place, user in enumerate(users.of) if len(same[user]) > sizes[0]]
    for epoch in range(epochs):
        rng = Random(answer_seed(seed, "users", epoch))
        for target in rng.sample(kept, len(kept)):
            context = context_of(rng, target, pairs, same[users.of[target]], rng.randint(*sizes))
            if len(context) >= sizes[0]:
                found.append(Example(target, context, len(found) // batch_size, rng.getrandbits(32)))
    if not found:
        raise NotApplicable(
            f"no user has {sizes[0] + 1} different comparisons; lower the sizes of contexts, or pool users"
        )
    return found


class Table(NamedTuple):
    """Vectors of the answers of all pairs, [pairs, width] each."""

    chosen: Tensor
    rejected: Tensor

    def contexts(self, contexts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """[contexts, longest, width] of both sides, and the mask of what is there."""
        longest = max(1, max(map(len, contexts)))
        places = torch.tensor([[*one, *[0] * (longest - len(one))] for one in contexts])
        mask = torch.arange(longest) < torch.tensor([[len(one)] for one in contexts])
        return self.chosen[places], self.rejected[places], mask
