"""The built-in functions a program may call: those that cannot grow, and those that the counters watch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from operant.sandbox.values import Counters, ProgramError, Refused, Value, total

KEYWORDS = {"sorted": {"reverse"}}


def text(value: Value, counters: Counters) -> str:
    """str() of a value that is small enough."""
    counters.weigh(value)
    found = str(value)
    counters.made(len(found))
    return found


def _range(counters: Counters, *numbers: Value) -> range:
    found = range(*numbers)
    if len(found) > 10 * counters.bounds.length:
        raise Refused(f"a range of {len(found)}; at most {10 * counters.bounds.length} is allowed")
    return found


def _round(value: Value, digits: Value = None) -> Value:
    if digits is not None and (not isinstance(digits, int) or abs(digits) > 20):
        raise Refused(f"rounding to {digits} digits; at most 20 are allowed")
    return round(value, digits) if digits is not None else round(value)


def _extreme(choose: Callable[..., Value]) -> Callable[..., Value]:
    def found(counters: Counters, *values: Value) -> Value:
        many = counters.elements(values[0]) if len(values) == 1 else list(values)
        counters.weigh(many)
        return choose(many)

    return found


def _sorted(counters: Counters, value: Value, *, reverse: Value = False) -> list[Value]:
    many = counters.elements(value)
    counters.weigh(many)
    counters.step(len(many) * max(1, len(many)).bit_length())
    return sorted(many, reverse=bool(reverse))


def _int(counters: Counters, value: Value = 0) -> int:
    found = int(value)
    counters.whole(found.bit_length())
    return found


def _pairs(counters: Counters, *values: Value) -> list[Value]:
    return list(zip(*(counters.elements(value) for value in values), strict=False))


def _enumerate(counters: Counters, value: Value, start: Value = 0) -> list[Value]:
    if not isinstance(start, int):
        raise ProgramError("enumerate starts at a whole number")
    return list(enumerate(counters.elements(value), start))


def _container(kind: Callable[[Any], Value]) -> Callable[..., Value]:
    def made(counters: Counters, value: Value = ()) -> Value:
        return kind(counters.elements(value))

    return made


def _dict(counters: Counters, value: Value = ()) -> dict[Value, Value]:
    if isinstance(value, dict):
        counters.made(len(value))
        return dict(value)
    many = counters.elements(value)
    counters.weigh(many)
    return dict(many)


SIMPLE: dict[str, Callable[..., Value]] = {
    "abs": abs, "bool": bool, "divmod": divmod, "float": float, "len": len, "round": _round, "sqrt": math.sqrt,
}  # fmt: skip
WATCHED: dict[str, Callable[..., Value]] = {
    "all": lambda counters, value: all(counters.elements(value)),
    "any": lambda counters, value: any(counters.elements(value)),
    "dict": _dict,
    "enumerate": _enumerate,
    "int": _int,
    "list": _container(list),
    "max": _extreme(max),
    "min": _extreme(min),
    "range": _range,
    "reversed": lambda counters, value: counters.elements(value)[::-1],
    "sorted": _sorted,
    "str": lambda counters, value="": text(value, counters),
    "sum": lambda counters, value: total(counters.elements(value), counters),
    "tuple": _container(tuple),
    "zip": _pairs,
}
FUNCTIONS = {*SIMPLE, *WATCHED}


def call(name: str, counters: Counters, values: list[Value], keywords: dict[str, Value]) -> Value:
    """A built-in function by name."""
    extra = set(keywords) - KEYWORDS.get(name, set())
    if extra:
        raise Refused(f"{name}() with the keyword {min(extra)!r}")
    if name in SIMPLE:
        return SIMPLE[name](*values)
    return WATCHED[name](counters, *values, **keywords)
