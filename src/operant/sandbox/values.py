"""Operations on a program's values that cannot grow without bound, and the counters that end a program."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from operant.errors import OperantError

Value = Any  # int, float, bool, str, None, list, tuple, dict, range


class Refused(OperantError):
    """What a program may not do; the message says what, and on which line."""


class ProgramError(OperantError):
    """A mistake of the program itself: a division by zero, a name that has no value."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much a program may be and use."""

    characters: int = 10_000  # of its text
    depth: int = 30  # nesting of its syntax tree
    steps: int = 100_000  # expressions and statements evaluated
    calls: int = 40  # its functions inside one another
    bits: int = 4096  # of a whole number
    length: int = 10_000  # of one string, list, tuple, dict or range
    cells: int = 1_000_000  # elements and characters made, altogether


class Counters:
    """What is left of the bounds."""

    def __init__(self, bounds: Bounds):
        self.bounds, self.steps, self.cells, self.calls = bounds, bounds.steps, bounds.cells, bounds.calls

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise Refused(f"more than {self.bounds.steps} steps")

    def made(self, size: int) -> None:
        """A string or container of this size is about to be made."""
        if size > self.bounds.length:
            raise Refused(f"a value of length {size}; at most {self.bounds.length} is allowed")
        self.cells -= size
        if self.cells < 0:
            raise Refused(f"values of more than {self.bounds.cells} elements altogether")

    def whole(self, bits: int) -> None:
        """A whole number of about this many bits is about to be made."""
        if bits > self.bounds.bits:
            raise Refused(f"a whole number of {bits} bits; at most {self.bounds.bits} are allowed")

    def elements(self, value: Value) -> list[Value]:
        """What a loop over a value sees, as a list of bounded size."""
        if not isinstance(value, (str, list, tuple, dict, range)):
            raise ProgramError(f"a {type(value).__name__} cannot be looped over")
        self.made(len(value))
        self.step(len(value))
        return list(value)

    def weigh(self, *values: Value) -> None:
        """Refuse what would take long to print or compare: lists that hold themselves, or one another many times."""
        layer, seen, depth = list(values), 0, 0
        while layer:
            seen += sum(1 + len(value) // 8 if isinstance(value, str) else 1 for value in layer)
            depth += 1
            if seen > 4 * self.bounds.length or depth > 100:
                raise Refused(f"a value of more than {4 * self.bounds.length} parts or 100 layers is read as a whole")
            layer = list(islice(chain.from_iterable(map(_parts, layer)), 4 * self.bounds.length + 1))
        self.step(seen)


def _parts(value: Value) -> Iterable[Value]:
    if isinstance(value, dict):
        return chain(value.keys(), value.values())
    return value if isinstance(value, (list, tuple)) else ()


def add(one: Value, two: Value, counters: Counters) -> Value:
    if isinstance(one, (str, list, tuple)):
        counters.made(len(one) + (len(two) if isinstance(two, (str, list, tuple)) else 0))
    return _number(operator.add(one, two), counters)


def multiply(one: Value, two: Value, counters: Counters) -> Value:
    if isinstance(one, int) and isinstance(two, int):
        counters.whole(one.bit_length() + two.bit_length() - 1)  # it has that many bits, or one more
    for sequence, times in ((one, two), (two, one)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
            counters.made(len(sequence) * max(0, times))
    return _number(operator.mul(one, two), counters)


def power(one: Value, two: Value, counters: Counters) -> Value:
    if isinstance(one, int) and isinstance(two, int) and abs(one) > 1 and two > 0:
        counters.whole((one.bit_length() - 1) * two)  # it has more bits than this, and at most twice as many
    return _number(operator.pow(one, two), counters)


def remainder(one: Value, two: Value, counters: Counters) -> Value:
    if isinstance(one, str):
        raise Refused("% on a string formats it, which is not allowed")
    return _number(operator.mod(one, two), counters)


def _plain(operation: Callable[[Value, Value], Value]) -> Callable[[Value, Value, Counters], Value]:
    return lambda one, two, counters: _number(operation(one, two), counters)


def _number(value: Value, counters: Counters) -> Value:
    if isinstance(value, complex):
        raise Refused("a complex number")
    if isinstance(value, int):
        counters.whole(value.bit_length())
    return value


BINARY: dict[str, Callable[[Value, Value, Counters], Value]] = {
    "Add": add, "Sub": _plain(operator.sub), "Mult": multiply, "Div": _plain(operator.truediv),
    "FloorDiv": _plain(operator.floordiv), "Mod": remainder, "Pow": power,
}  # fmt: skip
COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt,
    "GtE": operator.ge, "Is": operator.is_, "IsNot": operator.is_not,
    "In": lambda one, two: one in two, "NotIn": lambda one, two: one not in two,
}  # fmt: skip
UNARY: dict[str, Callable[[Value], Value]] = {
    "USub": operator.neg, "UAdd": operator.pos, "Not": operator.not_,
}  # fmt: skip


def total(values: Iterable[Value], counters: Counters) -> Value:
    """Sum of numbers."""
    result: Value = 0
    for value in values:
        if not isinstance(value, (int, float)):
            raise ProgramError(f"sum adds numbers, not a {type(value).__name__}")
        result = add(result, value, counters)
    return result
