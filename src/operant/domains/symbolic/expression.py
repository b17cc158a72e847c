"""Formulas as tokens in pre-order: ("add", "x1", "sin", "x2") is x1 + sin x2. Computed over many points at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operant.errors import OperantError, require

Token = str | float  # an operator, a variable x1, x2, ..., the placeholder "C" of a constant, or a number
Tokens = tuple[Token, ...]
Points = NDArray[np.float64]  # [points, variables]
VARIABLE = re.compile(r"x[1-9][0-9]?")
PLACEHOLDER = "C"

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "sqrt": np.sqrt, "tanh": np.tanh, "asin": np.arcsin,
    "acos": np.arccos, "neg": np.negative,
}  # fmt: skip
BINARY = ("add", "sub", "mul", "div", "pow")


def arity(token: Token) -> int:
    """How many parts follow."""
    if token in BINARY:
        return 2
    return 1 if token in OPERATORS else 0


class Tree(NamedTuple):
    """A formula as a tree."""

    token: Token
    parts: tuple[Tree, ...] = ()

    def tokens(self) -> Tokens:
        return (self.token, *(token for part in self.parts for token in part.tokens()))


def checked(tokens: Sequence[Token], *, variables: int) -> Tokens:
    """The tokens, if they are one whole formula of known tokens."""
    for token in tokens:
        known = isinstance(token, int | float) or token in OPERATORS or token == PLACEHOLDER
        named = isinstance(token, str) and VARIABLE.fullmatch(token) and int(token[1:]) <= variables
        require(known or named, "token of a formula", token, f"an operator, a number or x1 to x{variables}")
    require(complete(tokens), "formula", list(tokens), "operators in front of as many parts as they take")
    return tuple(tokens)


def complete(tokens: Sequence[Token]) -> bool:
    """Whether these are one formula, no more and no less."""
    return bool(tokens) and span(tokens, 0) == len(tokens)


def span(tokens: Sequence[Token], start: int) -> int:
    """Where the part that begins at `start` ends; past the end of the tokens where it is not whole."""
    waiting, place = 1, start
    while waiting:
        if place >= len(tokens):
            return len(tokens) + 1
        waiting += arity(tokens[place]) - 1
        place += 1
    return place


def tree(tokens: Sequence[Token]) -> Tree:
    """Tokens of one whole formula as a tree."""
    rest = iter(tokens)

    def grow() -> Tree:
        token = next(rest)
        return Tree(token, tuple(grow() for _ in range(arity(token))))

    return grow()


def height(tokens: Sequence[Token]) -> int:
    """Edges from the root to the deepest part."""
    waiting, most = [0], 0
    for token in tokens:
        depth = waiting.pop()
        most = max(most, depth)
        waiting += [depth + 1] * arity(token)
    return most


def compute(tokens: Sequence[Token], points: Points, constants: Sequence[float] = ()) -> Points:
    """The formula at every point; what is not defined is NaN or infinite, and nobody is warned.

    Args: constants: for the placeholders, in their order.
    """
    given = list(constants)
    stack: list[Any] = []
    if tokens.count(PLACEHOLDER) != len(given):
        raise OperantError(f"the formula has {tokens.count(PLACEHOLDER)} constants to fill in; got {len(given)}")
    with np.errstate(all="ignore"):
        for token in reversed(tokens):
            parts = [stack.pop() for _ in range(arity(token))]
            stack.append(_value(token, parts, points, given))
    return np.broadcast_to(np.asarray(stack[0], dtype=np.float64), len(points))


def _value(token: Token, parts: Sequence[Any], points: Points, given: list[float]) -> Any:
    if not isinstance(token, str):
        return np.float64(token)
    if parts:
        return OPERATORS[token](*parts)
    return np.float64(given.pop()) if token == PLACEHOLDER else points[:, int(token[1:]) - 1]


def filled(tokens: Sequence[Token], constants: Sequence[float]) -> Tokens:
    """The formula with numbers for its placeholders."""
    given = iter(constants)
    return tuple(next(given) if token == PLACEHOLDER else token for token in tokens)


SIGNS = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("^", 4)}


def infix(tokens: Sequence[Token]) -> str:
    """As people write it, with no more brackets than it takes."""
    return _written(tree(tokens))[0]


def _written(one: Tree) -> tuple[str, int]:
    """Text, and how tightly its outermost sign binds."""
    if not one.parts:
        return (f"{one.token:g}", 5 if one.token >= 0 else 0) if isinstance(one.token, int | float) else (one.token, 5)
    assert isinstance(one.token, str)
    if one.token == "neg":
        return f"-{_inside(one.parts[0], 3)}", 0
    if one.token not in SIGNS:
        return f"{one.token}({_written(one.parts[0])[0]})", 5
    sign, binds = SIGNS[one.token]
    left, right = one.parts
    tighter = {"sub": (0, 1), "div": (0, 1), "pow": (1, 0)}.get(one.token, (0, 0))
    room = " " if binds == 1 else ""
    return f"{_inside(left, binds + tighter[0])}{room}{sign}{room}{_inside(right, binds + tighter[1])}", binds


def _inside(one: Tree, binds: int) -> str:
    text, own = _written(one)
    return text if own >= binds else f"({text})"
