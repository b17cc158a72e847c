"""Ways to say one problem. Paraphrases keep the numbers and the answer; the inverse question asks for the start.

Numbers are spelled digit by digit, so that a word-level model composes them: 14 is "1 4".
"""

from __future__ import annotations

from typing import NamedTuple

NAMES = ("tom", "ana", "ben", "eva", "leo", "mia", "sam", "zoe")
ITEMS = ("apples", "books", "coins", "pens", "cards", "eggs", "shells", "stamps")


class Wording(NamedTuple):
    """Sentences with the places {name}, {item} and {n}."""

    start: str
    add: str
    subtract: str
    multiply: str
    divide: str
    ask: str
    unknown_start: str
    end: str
    ask_start: str

    def operation(self, sign: str) -> str:
        return {"+": self.add, "-": self.subtract, "*": self.multiply, "/": self.divide}[sign]


WORDINGS = (
    Wording(
        "{name} has {n} {item} .", "buys {n} more .", "loses {n} .", "then has {n} times as many .",
        "keeps one of {n} equal parts .", "how many {item} now ?",
        "{name} has some {item} .", "now there are {n} .", "how many {item} at first ?",
    ),
    Wording(
        "a box holds {n} {item} .", "{name} adds {n} .", "{name} takes {n} out .",
        "{name} makes it {n} times as many .", "{name} leaves one part in {n} .", "how many {item} does it hold ?",
        "a box holds some {item} .", "it holds {n} now .", "how many {item} did it hold at first ?",
    ),
    Wording(
        "{n} {item} are on the table .", "{n} come .", "{n} go .", "they become {n} times as many .",
        "only one in {n} stays .", "{name} counts . how many {item} ?",
        "some {item} are on the table .", "{name} counts {n} .", "how many {item} were there ?",
    ),
    Wording(
        "count {n} {item} for {name} .", "plus {n} .", "minus {n} .", "times {n} .", "divided by {n} .",
        "what is the count ?",
        "count some {item} for {name} .", "that makes {n} .", "what was the count at first ?",
    ),
)  # fmt: skip


def spell(number: int) -> str:
    """14 as "1 4"; below zero "- 1 4"."""
    return " ".join(str(number))


def question(wording: Wording, parts: list[tuple[str, int]], *, name: str, item: str, start: int | None) -> str:
    """The problem as text. `parts` are (sign, number) in order; with `start` None the last part is ("=", end)."""
    opening = wording.unknown_start if start is None else wording.start
    middle = [(wording.operation(sign), number) for sign, number in parts if sign != "="]
    closing = [(wording.end, number) for sign, number in parts if sign == "="]
    ask = wording.ask if start is not None else wording.ask_start
    told = [(opening, start or 0), *middle, *closing, (ask, 0)]
    return " ".join(text.format(name=name, item=item, n=spell(number)) for text, number in told)


def words() -> set[str]:
    """Every word of every wording."""
    texts = (text.format(name=name, item=item, n="0")
             for wording in WORDINGS for text in wording for name in NAMES for item in ITEMS)  # fmt: skip
    return {word for text in texts for word in text.split()}
