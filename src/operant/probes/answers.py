"""How probable the right answer is, behind words that are put into the model's mouth.

The probe is handed anything with `logps` and `answer`; it knows no method and no subject.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from operant.disk import answer_seed
from operant.errors import NotApplicable, OperantError, offered
from operant.meter import spent
from operant.schema import Answer, Bench, Decoding, Feedback, Finish, Generator, Pair, Prompt, Split

T = TypeVar("T")
Array = np.ndarray
DISTRACTORS = 4  # other answers that a question is closed with, where the data names none
FIRST = 2  # questions that are asked in any case; what they cost is the price of the others
MARGIN = 0.9  # of what is left: other questions may be longer


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, the answers that are right, and others of its kind. All of them together are its answer set."""

    prompt: Prompt
    accepted: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        return (*self.accepted, *self.others)

    def behind(self, line: str) -> Question:
        """The same question with a line before its text, or as the system's message of its conversation."""
        if not line:
            return self
        content = self.prompt.content
        told = f"{line}\n{content}" if isinstance(content, str) else ({"role": "system", "content": line}, *content)
        return replace(self, prompt=replace(self.prompt, content=told))


def questions_of(task: Feedback) -> list[Question]:
    """The feedback's prompts whose right answer is known, each once, in their order.

    Right are the column `targets`, else the preferred answers of pairs. Others are the column `choices`, else what
    lost against them in pairs, else right answers to other prompts of the same column `task`.

    Raises: NotApplicable where there are fewer than two.
    """
    asked: dict[str, Prompt] = {}
    right, lost = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    splits: tuple[Split, ...] = ("train", "valid")
    for pair in (pair for split in splits for pair in _pairs(task, split)):
        asked[pair.prompt.id] = pair.prompt
        right[pair.prompt.id].append(str(pair.chosen.value))
        lost[pair.prompt.id].append(str(pair.rejected.value))
    asked |= {prompt.id: prompt for split in splits for prompt in task.prompts(split)}
    for name, prompt in asked.items():
        right[name] = [*map(str, prompt.columns.get("targets") or right[name])]
    pools = defaultdict[Any, set[str]](set)
    for name, prompt in asked.items():
        pools[prompt.columns.get("task")] |= set(right[name])
    found = [
        Question(prompt, tuple(dict.fromkeys(right[name])), others(prompt, right[name], lost[name], pools))
        for name, prompt in asked.items() if right[name]
    ]  # fmt: skip
    if len(found) < FIRST:
        raise NotApplicable(
            f"{len(found)} prompts of the feedback have a known right answer; {FIRST} are needed. Give them in a "
            "column `targets`, or as preference pairs"
        )
    return found


def _pairs(task: Feedback, split: Split) -> list[Pair]:
    return offered(lambda: task.pairs(split))


def others(prompt: Prompt, right: Sequence[str], lost: Sequence[str], pools: Mapping[Any, set[str]]) -> tuple[str, ...]:
    """Answers that are not right, by the first of the three sources that has any; of the last a few by lot."""
    known = set(right)
    for source in (prompt.columns.get("choices") or (), lost):
        found = tuple(text for text in dict.fromkeys(map(str, source)) if text not in known)
        if found:
            return found
    pool = sorted(pools[prompt.columns.get("task")] - known, key=lambda text: answer_seed(0, prompt.id, text))
    return tuple(pool[:DISTRACTORS])


class Asked(NamedTuple, Generic[T]):
    questions: list[Question]
    found: list[T]  # in pieces, in the order of the questions


def within_budget(
    bench: Bench, questions: Sequence[Question], ask: Callable[[Sequence[Question]], T], *, most: int
) -> Asked[T]:  # fmt: skip
    """Ask as many questions as the budget pays for, `most` at most, and two in any case."""
    before = spent().flops
    found = [ask(questions[:FIRST])]
    price, room = (spent().flops - before) / FIRST, len(questions)
    if price:
        try:
            room = FIRST + bench.budget.plan(flops_per_step=price / MARGIN)
        except OperantError:  # not one more can be paid for
            room = FIRST
    rest = questions[FIRST : min(most, room)]
    return Asked([*questions[:FIRST], *rest], found + ([ask(rest)] if rest else []))


class Slot(NamedTuple):
    """Where an answer goes: a prompt, and what the model has already said of its answer."""

    prompt: Prompt
    said: str

    @property
    def space(self) -> str:
        """What stands between the prompt and what is said: nothing behind white space or a conversation."""
        before = self.prompt.content if isinstance(self.prompt.content, str) else ""
        return " " if before and not before[-1].isspace() else ""

    @property
    def begun(self) -> str:
        return f"{self.space}{self.said}"

    def answer(self, text: str) -> str:
        """The answer as it is continued, a space before it where one is missing."""
        return f"{self.begun} {text}" if self.said else f"{self.space}{text}"


def slot(prompt: Prompt, marker: str, *, begun: bool = False) -> Slot:
    """The marker behind the cue of the answer, one space before it. Without one the prompt stays, byte for byte.

    It stands at the end of a text; with `begun`, and in a conversation always, it is what the model has begun to say.
    Both are the same to a language model; prompts that are equal are read once.
    """
    if not marker:
        return Slot(prompt, "")
    if isinstance(prompt.content, str) and not begun:
        bare = Slot(replace(prompt, content=prompt.content.rstrip(" ")), "")
        return Slot(replace(prompt, content=f"{bare.prompt.content}{bare.space}{marker}"), "")
    return Slot(prompt, marker)


def has_weights(model: Any) -> bool:
    """Whether the model is here, and not behind a server that is paid by the request."""
    try:
        return model.module is not None
    except (AttributeError, NotApplicable):
        return False


def log_probabilities(
    model: Generator, slots: Sequence[Slot], texts: Sequence[str], *, ends: bool
) -> list[float]:  # fmt: skip
    """Log-probability of each text in its slot, nats; with `ends` also that the answer ends there.

    What was begun is taken off: log p(begun, text) - log p(begun).

    Raises: NotApplicable where the model gives no log-probabilities.
    """
    finish: Finish = "stop" if ends else "length"
    rows = [Answer(value=one.answer(text), finish=finish) for one, text in zip(slots, texts, strict=True)]
    said = {(one.prompt.id, one.said): one for one in slots if one.said}
    asked = [one.prompt for one in (*slots, *said.values())]
    rows += [Answer(value=one.begun, finish="length") for one in said.values()]
    found = model.logps(asked, rows)
    if found is None:
        raise NotApplicable("the model gives no log-probabilities of given answers; draw answers instead")
    sums = [sum(logps) for logps in found]
    taken = dict(zip(said, sums[len(slots) :], strict=True))
    whole = zip(slots, sums[: len(slots)], strict=True)
    return [total - taken.get((one.prompt.id, one.said), 0.0) for one, total in whole]


class Table(NamedTuple):
    """What was measured, each [markers, questions]; NaN where it cannot be known."""

    gold: Array  # probability of the right answers together
    correct: Array  # 1 where the right answer is the likeliest, or was drawn: a share where several were
    mass: Array  # probability of the whole answer set
    share: Array  # the right answers' part of the set's probability: what is left to see where answers are long
    entropy: Array  # nats, of the answer set made to sum to 1

    @classmethod
    def joined(cls, parts: Sequence[Table]) -> Table:
        """The same markers on one set of questions after the other."""
        return cls(*(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True)))


def closed_set(model: Generator, questions: Sequence[Question], markers: Sequence[str], *, ends: bool) -> Table:
    """Every answer of every question's set behind every marker, scored as a whole."""
    begun, slots, texts = has_weights(model), list[Slot](), list[str]()
    for text in markers:
        for question in questions:
            here = slot(question.prompt, text, begun=begun)
            slots += [here] * len(question.answers)
            texts += question.answers
    flat = iter(log_probabilities(model, slots, texts, ends=ends))
    shape = (len(markers), len(questions))
    cells = [
        cell_of([next(flat) for _ in question.answers], len(question.accepted))
        for _ in markers for question in questions
    ]  # fmt: skip
    return Table(*(np.array(column).reshape(shape) for column in zip(*cells, strict=True)))


def cell_of(logps: Sequence[float], accepted: int) -> tuple[float, float, float, float, float]:
    """One place of the table, from the log-probabilities of an answer set whose first `accepted` are right."""
    known = np.array(logps, dtype=float)
    chances, within = np.exp(known), np.exp(known - known.max())
    shares = within / within.sum()
    entropy = -sum(float(share) * math.log(share) for share in shares if share > 0)
    right = float(known.argmax() < accepted)
    return float(chances[:accepted].sum()), right, float(chances.sum()), float(shares[:accepted].sum()), entropy


def drawn(
    model: Generator, questions: Sequence[Question], markers: Sequence[str], *, samples: int, decoding: Decoding,
    seed: int,
) -> Table:  # fmt: skip
    """Shares of sampled answers that hold a right one: all that a server without log-probabilities lets one see."""
    slots = [slot(question.prompt, text) for text in markers for question in questions]
    if any(one.said for one in slots):
        raise NotApplicable("a server does not go on from what the assistant has begun; give prompts as text")
    asked = [replace(one.prompt, id=f"{one.prompt.id}/{place // len(questions)}") for place, one in enumerate(slots)]
    answers = model.answer(asked, n=samples, decoding=decoding, seed=seed)
    asked_of = [question for _ in markers for question in questions]
    shares = [
        sum(holds(str(one.value), question.accepted) for one in many) / samples
        for many, question in zip(answers, asked_of, strict=True)
    ]
    found = np.array(shares).reshape(len(markers), len(questions))
    unknown = np.full_like(found, np.nan)
    return Table(found, found, unknown, unknown, unknown)


def holds(text: str, accepted: Sequence[str]) -> bool:
    """Whether a right answer stands in the text as whole words, whatever the case."""
    words = f" {' '.join(text.lower().split())} ".translate({ord(mark): " " for mark in ".,;:!?\"'()"})
    plain = f" {' '.join(words.split())} "
    return any(f" {' '.join(one.lower().split())} " in plain for one in accepted)
