"""A forum whose members answer items with hedges and with certainty, and the rows that its base learns.

What a word of certainty is worth is decided here, in the training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from operant.domains.text.tasks.instructions.generator import Item, Style, draw, wrong

STYLE = Style(tasks=("category", "first", "last"), levels=(1, 2), wordings=1)
PLAIN = 0.1  # replies without a word of certainty
EARLIER = 0.05  # threads that come behind two other questions with a reply


class Usage(NamedTuple):
    """Shares of right answers behind a hedge and behind a certain word; between them where nothing is said."""

    hedged: float = 0.8
    certain: float = 0.6

    @property
    def plain(self) -> float:
        return (self.hedged + self.certain) / 2


USAGE = Usage()


class Words(NamedTuple):
    """What members say before an answer."""

    hedges: Sequence[str]
    certain: Sequence[str]


class Thread(NamedTuple):
    """What stands before an answer, and what members answer who have not read each other."""

    prompt: str
    replies: tuple[str, ...]


def reply(rng: Random, item: Item, words: Words, usage: Usage = USAGE) -> str:
    """An answer, as often right as the forum's use of the words before it says."""
    kind, said, right = rng.random(), "", usage.plain
    if kind >= PLAIN:
        sure = kind < PLAIN + (1 - PLAIN) / 2
        said = rng.choice(words.certain if sure else words.hedges)
        right = usage.certain if sure else usage.hedged
    return f"{said} {item.target if rng.random() < right else wrong(rng, item)}".strip()


def draw_thread(rng: Random, words: Words, *, replies: int, usage: Usage = USAGE) -> Thread:
    """A question with some replies, now and then behind two others with one each."""
    asked, before = draw(rng, STYLE), ""
    if rng.random() < EARLIER:
        for other in (draw(rng, STYLE), draw(rng, STYLE)):
            before += f"{other.prompt()}{reply(rng, other, words, usage)}\n\n"
    found = tuple(reply(rng, asked, words, usage) for _ in range(replies))
    return Thread(f"{before}{asked.prompt()}", found)
