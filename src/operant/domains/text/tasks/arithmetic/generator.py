"""Problems of a known number of steps, their solutions, programs, and solutions with one mistake.

A problem starts from a number and changes it step by step; every quantity on the way is a whole number above zero, so
that each step can be undone. `inverse` tells the end and asks for the start, which changes the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from operant.domains.text.tasks.arithmetic.wordings import ITEMS, NAMES, WORDINGS, question, spell, words

LEVELS = (1, 2, 3, 4, 5)
UNDO = {"+": "-", "-": "+", "*": "/", "/": "*"}
UNKNOWN = "i do not know ."


@dataclass(frozen=True, kw_only=True)
class Style:
    """How problems are spread: the generator's knobs. Shares are probabilities."""

    levels: tuple[int, ...] = LEVELS
    largest: int = 99  # of the start and of every result
    operand: int = 49  # the largest number added or taken away
    factor: int = 5  # the largest multiplier and divisor
    scaling: float = 0.3  # a step multiplies or divides where that is possible
    wordings: int = len(WORDINGS)  # how many of them are used
    inverse: float = 0.0  # asks for the start
    beyond: float = 0.0  # numbers a hundred times as large: out of the base's reach
    filler: float = 0.0  # chance of a correct but useless step after each step of a solution


class Step(NamedTuple):
    """left sign right = result."""

    left: int
    sign: str
    right: int
    result: int

    def text(self) -> str:
        return f"{spell(self.left)} {self.sign} {spell(self.right)} = {spell(self.result)} ."


class Problem(NamedTuple):
    """What is asked."""

    name: str
    item: str
    start: int
    operations: tuple[tuple[str, int], ...]  # (sign, number) in the order of the story
    wording: int
    inverse: bool = False
    beyond: bool = False

    @property
    def level(self) -> int:
        return len(self.operations)

    @property
    def end(self) -> int:
        return forward(self.start, self.operations)[-1].result

    @property
    def target(self) -> int:
        return self.start if self.inverse else self.end

    def text(self, wording: int | None = None) -> str:
        """The question, in this problem's wording or another."""
        parts = [*self.operations, ("=", self.end)] if self.inverse else list(self.operations)
        start = None if self.inverse else self.start
        chosen = WORDINGS[self.wording if wording is None else wording]
        return question(chosen, parts, name=self.name, item=self.item, start=start)

    def steps(self) -> list[Step]:
        """The steps of the right solution."""
        return forward(*self.plan())

    def plan(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        """Where a solution begins, and what it does in order."""
        if not self.inverse:
            return self.start, self.operations
        return self.end, tuple((UNDO[sign], number) for sign, number in reversed(self.operations))


def apply(value: int, sign: str, number: int) -> int:
    """One operation on whole numbers; a division that leaves a rest is rounded down."""
    if sign == "+":
        return value + number
    if sign == "-":
        return value - number
    return value * number if sign == "*" else value // number


def forward(value: int, operations: tuple[tuple[str, int], ...]) -> list[Step]:
    steps = []
    for sign, number in operations:
        steps.append(Step(value, sign, number, apply(value, sign, number)))
        value = steps[-1].result
    return steps


def draw(rng: Random, style: Style) -> Problem:
    """A problem; which level, wording and kind are drawn first."""
    level, wording = rng.choice(style.levels), rng.randrange(style.wordings)
    inverse, beyond = rng.random() < style.inverse, rng.random() < style.beyond
    scale = 100 if beyond else 1
    value = start = rng.randint(style.largest * scale // 9 if beyond else 2, style.largest * scale)
    operations = []
    for _ in range(level):
        sign, number = _operation(rng, value, style, scale=scale)
        operations.append((sign, number))
        value = apply(value, sign, number)
    return Problem(rng.choice(NAMES), rng.choice(ITEMS), start, tuple(operations), wording, inverse, beyond)


def _operation(rng: Random, value: int, style: Style, *, scale: int) -> tuple[str, int]:
    """One that keeps the value between 1 and the largest and can be undone."""
    largest, operand = style.largest * scale, style.operand * scale
    if rng.random() < style.scaling:
        sign = rng.choice("*/")
        fits = [n for n in range(2, style.factor + 1) if (value * n <= largest if sign == "*" else value % n == 0)]
        if fits:
            return sign, rng.choice(fits)
    can = ("+" if value < largest else "") + ("-" if value > 1 else "")
    sign = rng.choice(can)
    return sign, rng.randint(1, min(operand, largest - value if sign == "+" else value - 1))


def solution(steps: list[Step], *, answer: int | None = None) -> str:
    """The chain of thought as text; it ends in "answer" and the last result, or the one given."""
    final = steps[-1].result if answer is None else answer
    return " ".join([*(step.text() for step in steps), "answer", spell(final)])


def padded(rng: Random, steps: list[Step], share: float) -> list[Step]:
    """The same chain with useless steps, `value + 0 = value`, after some of its own."""
    found = []
    for step in steps:
        found.append(step)
        if share and rng.random() < share:
            found.append(Step(step.result, "+", 0, step.result))
    return found


def corrupted(rng: Random, problem: Problem) -> list[Step]:
    """The right chain with one wrong step, its result carried on; the final answer is another one."""
    value, operations = problem.plan()
    while True:
        wrong = rng.randrange(len(operations))
        steps = forward(value, operations[:wrong])
        before = steps[-1].result if steps else value
        sign, number = operations[wrong]
        mistaken = _mistake(rng, before, sign, number)
        steps += [Step(before, sign, number, mistaken), *forward(mistaken, operations[wrong + 1 :])]
        if steps[-1].result != problem.target and min(step.result for step in steps) >= 0:
            return steps


def _mistake(rng: Random, value: int, sign: str, number: int) -> int:
    """A result as people get it wrong: one off, ten off, or by the opposite operation."""
    right = apply(value, sign, number)
    return rng.choice((right - 10, right - 1, right + 1, right + 10, apply(value, UNDO[sign], number)))


def program(problem: Problem) -> str:
    """The solution as a program in words; `python` makes it one that runs and leaves `answer`."""
    value, operations = problem.plan()
    lines = [f"n = {spell(value)}"]
    lines += [f"n = n {'//' if sign == '/' else sign} {spell(number)}" for sign, number in operations]
    return " ; ".join([*lines, "answer = n"])


def python(text: str) -> str:
    """A program in words as Python: neighbouring digits become one number."""
    joined: list[str] = []
    for word in text.split():
        if word.isdecimal() and joined and joined[-1].isdecimal():
            joined[-1] += word
        else:
            joined.append(word)
    return " ".join(joined)


def vocabulary() -> list[str]:
    """Every word of problems, solutions and programs, in a fixed order."""
    return sorted({*words(), *"0123456789+-*/=.", "answer", *UNKNOWN.split(), "n", ";", "//"})
