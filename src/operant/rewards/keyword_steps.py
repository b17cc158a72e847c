"""Rewards of single keywords, each due when the separator behind it is written; and what a set of them hits.

Source: Li et al. 2023, arXiv:2302.11520, released rewards. The README there subtracts a penalty of 0.25, its
configs add -0.2; here it is a reward that is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MISS = -0.2


class Hits(NamedTuple):
    hits: int
    misses: int

    @property
    def precision(self) -> float | None:
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else None


def step_rewards(
    hint: str, reference: str, *, usable: Callable[[str], bool], separator: str = ";", miss: float = MISS
) -> list[float]:  # fmt: skip
    """For each keyword that a separator closes: 1 where it stands in the lower-cased reference, else `miss`, which an
    empty, unusable or repeated one gets too.
    """
    text, seen, found = reference.lower(), set[str](), list[float]()
    for word in (part.strip().lower() for part in hint.split(separator)[:-1]):
        good = bool(word) and usable(word) and word not in seen and word in text
        found.append(1.0 if good else miss)
        seen.add(word)
    return found


def hits(rewards: list[float]) -> Hits:
    good = sum(one > 0 for one in rewards)
    return Hits(good, len(rewards) - good)
