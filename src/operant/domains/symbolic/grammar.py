"""Formulas as people and benchmark tables write them, read by a grammar of our own; nothing is evaluated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from operant.domains.symbolic.expression import OPERATORS, Token, Tokens
from operant.errors import OperantError

LONGEST = 2000  # characters
DEEPEST = 60  # brackets and signs within each other
_PIECE = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|[-+*/^(),]))")
_NAMES = {"ln": "log", "arcsin": "asin", "arccos": "acos"}


class UnreadableFormula(OperantError):
    """A text that is no formula."""


def read(text: str, *, variables: Sequence[str]) -> Tokens:
    """Tokens of a formula over named variables, which become x1, x2, ... in the order given.

    Reads + - * / ^ **, brackets, pi, the functions of `OPERATORS`, `pow(a,b)` and `div(a,b)`.
    """
    if len(text) > LONGEST:
        raise UnreadableFormula(f"a formula of {len(text)} characters; at most {LONGEST} are read")
    reader = _Reader(_pieces(text), {name: f"x{place}" for place, name in enumerate(variables, 1)}, text)
    found = reader.sum(0)
    if reader.at is not None:
        reader.refuse("an end")
    return found


def _pieces(text: str) -> list[str]:
    pieces, place = [], 0
    while place < len(text.rstrip()):
        found = _PIECE.match(text, place)
        if found is None:
            raise UnreadableFormula(f"cannot read {text[place : place + 10]!r} in the formula {text[:60]!r}")
        pieces.append(found[0].strip())
        place = found.end()
    return pieces


class _Reader:
    """Recursive descent; each rule gives the tokens of what it read."""

    def __init__(self, pieces: list[str], names: dict[str, str], text: str):
        self.pieces, self.names, self.text, self.place = pieces, names, text, 0

    @property
    def at(self) -> str | None:
        return self.pieces[self.place] if self.place < len(self.pieces) else None

    def take(self, *wanted: str) -> str | None:
        """The next piece, where it is one of these."""
        if self.at in wanted:
            self.place += 1
            return self.pieces[self.place - 1]
        return None

    def refuse(self, wanted: str) -> None:
        raise UnreadableFormula(f"expected {wanted}, got {self.at or 'the end'!r} in the formula {self.text[:60]!r}")

    def sum(self, depth: int) -> Tokens:
        if depth > DEEPEST:
            raise UnreadableFormula(f"brackets more than {DEEPEST} deep in the formula {self.text[:60]!r}")
        left = self.product(depth)
        while sign := self.take("+", "-"):
            left = ("add" if sign == "+" else "sub", *left, *self.product(depth))
        return left

    def product(self, depth: int) -> Tokens:
        left = self.signed(depth)
        while sign := self.take("*", "/"):
            left = ("mul" if sign == "*" else "div", *left, *self.signed(depth))
        return left

    def signed(self, depth: int) -> Tokens:
        if depth > DEEPEST:
            raise UnreadableFormula(f"signs more than {DEEPEST} deep in the formula {self.text[:60]!r}")
        if self.take("-"):
            inside = self.signed(depth + 1)
            return (-inside[0],) if len(inside) == 1 and isinstance(inside[0], float) else ("neg", *inside)
        if self.take("+"):
            return self.signed(depth + 1)
        left = self.atom(depth)
        return ("pow", *left, *self.signed(depth + 1)) if self.take("^", "**") else left

    def atom(self, depth: int) -> Tokens:
        if self.take("("):
            return self._closed(self.sum(depth + 1))
        piece = self.at or ""
        if piece in self.names:
            self.place += 1
            return (self.names[piece],)
        if piece[:1].isdigit() or piece[:1] == ".":
            self.place += 1
            return (float(piece),)
        if piece == "pi":
            self.place += 1
            return (math.pi,)
        return self.function(_NAMES.get(piece, piece), depth)

    def function(self, name: str, depth: int) -> Tokens:
        if name not in OPERATORS:
            self.refuse(f"a number, a bracket, a function or one of {sorted(self.names)}")
        self.place += 1
        if not self.take("("):
            self.refuse("a bracket")
        found: tuple[Token, ...] = (name, *self.sum(depth + 1))
        if name in ("pow", "div"):
            if not self.take(","):
                self.refuse("a comma")
            found += self.sum(depth + 1)
        return self._closed(found)

    def _closed(self, found: Tokens) -> Tokens:
        if not self.take(")"):
            self.refuse("a closing bracket")
        return found
