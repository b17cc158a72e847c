"""Small labelled items of eight tasks, right and wrong answers, and the rows that a base with planted effects learns.

What a sentence in the prompt does is decided here, in the training data: each has its own rate of wrong answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from operant.domains.text.tasks.instructions.wordings import (
    AGAIN,
    CATEGORIES,
    COLOURS,
    DIGITS,
    FILLER,
    INSTRUCTIONS,
    LETTERS,
    MOODS,
    NOUNS,
    TASKS,
    framed,
)

LEVELS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Style:
    """How items are spread: the generator's knobs. Shares are probabilities."""

    tasks: tuple[str, ...] = TASKS
    levels: tuple[int, ...] = LEVELS
    wordings: int = 2  # instructions of a task that are used
    query_last: float = (
        0.5  # what is asked for stands behind the data rather than before it, where there is such a query
    )


@dataclass(frozen=True, kw_only=True)
class Plant:
    """What the base learns: first the tasks, from right answers; then how often answers are wrong after each sentence.

    Shares are of rows, `planted_share` and `inert_share` of the rows after the first ones.
    """

    noise: float = 0.3  # wrong answers without a sentence, and after one that does nothing
    rates: Mapping[str, float] = field(default_factory=dict)  # sentence -> its own rate of wrong answers
    inert: tuple[str, ...] = ()
    planted_share: float = 0.5  # rows with a sentence that has a rate of its own
    inert_share: float = 0.2
    clean_share: float = 0.47  # the first rows: right, without sentences
    again: float = 0.15  # rows whose input is read twice
    filler: float = 0.03  # rows with as many fillers in place of the second copy


class Item(NamedTuple):
    """What is asked. `query` says where the thing asked for stands in the input: first, last, or nowhere."""

    task: str
    level: int
    text: str
    target: str
    query: str = "none"
    wording: int = 0

    @property
    def instruction(self) -> str:
        return INSTRUCTIONS[self.task][self.wording]

    def prompt(self) -> str:
        return framed(self.instruction, self.text)


def draw(rng: Random, style: Style) -> Item:
    """An item; its task, level and wording are drawn first."""
    task, level = rng.choice(style.tasks), rng.choice(style.levels)
    wording, query = rng.randrange(style.wordings), "last" if rng.random() < style.query_last else "first"
    item = _ASKED[task](rng, level, query) if task in _ASKED else _PLAIN[task](rng, task, level)
    return item._replace(wording=wording)


def wrong(rng: Random, item: Item) -> str:
    """A wrong answer of the right form."""
    while True:
        found = _guess(rng, item)
        if found != item.target:
            return found


def _guess(rng: Random, item: Item) -> str:
    """Another of the possible answers; for lists the right words with one replaced, or in another order."""
    if item.task == "category":
        return rng.choice(tuple(CATEGORIES))
    if item.task == "mood":
        return rng.choice(tuple(MOODS))
    if item.task == "colour":
        return rng.choice(COLOURS)
    if item.task == "count":
        return rng.choice(DIGITS[:6])
    if item.task in ("first", "last"):
        return rng.choice(item.text.split())
    words = item.target.split()
    if item.task == "reverse":
        return " ".join(rng.sample(words, len(words)))
    words[rng.randrange(len(words))] = rng.choice(DIGITS)
    return " ".join(words)


def _majority(rng: Random, task: str, level: int) -> Item:
    """3 words of one kind, and level - 1 of others; a word of every other kind at most."""
    groups = CATEGORIES if task == "category" else MOODS
    target, *others = rng.sample(list(groups), len(groups))
    words = rng.sample(groups[target], 3)
    words += [rng.choice(groups[others[place % len(others)]]) for place in range(level - 1)]
    return Item(task, level, " ".join(rng.sample(words, len(words))), target)


def _colour(rng: Random, level: int, query: str) -> Item:
    things = rng.sample(NOUNS, level + 1)
    colours = rng.sample(COLOURS, level + 1)
    asked = rng.randrange(level + 1)
    facts = " ; ".join(f"{thing} {colour}" for thing, colour in zip(things, colours, strict=True))
    return _asked("colour", level, facts, query, (things[asked], colours[asked]))


def _report(rng: Random, level: int, query: str) -> Item:
    """Letters with numbers; the numbers of one letter are wanted, in order: `level` of them."""
    asked, *others = rng.sample(LETTERS, 3)
    letters = rng.sample([asked] * level + [rng.choice(others) for _ in range(3)], level + 3)
    numbers = [rng.choice(DIGITS) for _ in letters]
    data = " ".join(f"{letter} {number}" for letter, number in zip(letters, numbers, strict=True))
    target = " ".join(number for letter, number in zip(letters, numbers, strict=True) if letter == asked)
    return _asked("report", level, data, query, (asked, target))


def _count(rng: Random, level: int, query: str) -> Item:
    """Among 2 + 2 level letters; between 0 and 2 level of them are the one asked for, at most 5."""
    asked, *others = rng.sample(LETTERS, 3)
    size, many = 2 + 2 * level, rng.randint(0, min(5, 2 * level))
    letters = [asked] * many + [rng.choice(others) for _ in range(size - many)]
    return _asked("count", level, " ".join(rng.sample(letters, size)), query, (asked, str(many)))


def _asked(task: str, level: int, data: str, query: str, pair: tuple[str, str]) -> Item:
    """The query before or behind the data. `pair`: what is asked for, and the answer."""
    asked, target = pair
    text = f"{data} ? {asked}" if query == "last" else f"{asked} ? {data}"
    return Item(task, level, text, target, query)


def _order(rng: Random, task: str, level: int) -> Item:
    """level + 1 words to turn round, or level + 2 to take one of."""
    words = rng.sample(NOUNS, level + (1 if task == "reverse" else 2))
    target = {"reverse": " ".join(reversed(words)), "first": words[0], "last": words[-1]}[task]
    return Item(task, level, " ".join(words), target)


_PLAIN = {"category": _majority, "mood": _majority, "reverse": _order, "first": _order, "last": _order}
_ASKED = {"colour": _colour, "report": _report, "count": _count}


def training_rows(rng: Random, style: Style, plant: Plant, count: int) -> list[tuple[str, str]]:
    """Prompts and answers for the base, to be read in this order."""
    clean = round(plant.clean_share * count)
    easy = Plant(noise=0.0, again=plant.again, filler=plant.filler)
    return [training_row(rng, style, easy if place < clean else plant) for place in range(count)]


def training_row(rng: Random, style: Style, plant: Plant) -> tuple[str, str]:
    """A prompt, perhaps with a sentence behind its instruction or its input read twice; an answer, perhaps wrong."""
    item, sentence, kind = draw(rng, style), "", rng.random()
    if plant.rates and kind < plant.planted_share:
        sentence = rng.choice(tuple(plant.rates))
    elif plant.inert and plant.planted_share <= kind < plant.planted_share + plant.inert_share:
        sentence = rng.choice(plant.inert)
    answer = wrong(rng, item) if rng.random() < plant.rates.get(sentence, plant.noise) else item.target
    text, copy = item.text, rng.random()
    if copy < plant.again:
        text = f"{text}\n{AGAIN} {text}"
    elif copy < plant.again + plant.filler:
        text = f"{text}\n{' '.join([FILLER] * len(f'{AGAIN} {text}'.split()))}"
    return framed(f"{item.instruction} {sentence}".strip(), text), answer
