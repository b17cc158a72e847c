"""Numbers as people and models write them, read exactly. No text is evaluated: this is a grammar of our own.

    sum     := product (("+" | "-") product)*
    product := sign (("*" | "x" | "/") sign)*
    sign    := ("+" | "-")* power
    power   := atom ("^" sign)?
    atom    := literal "%"? | integer integer "/" integer | "(" sum ")" | frac "{" sum "}" "{" sum "}"

A literal is an integer, a decimal, either with thousands separators, or scientific notation. Length, depth and the size
of every intermediate value are bounded, and the reading is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from operant.errors import OperantError

LENGTH = 200  # characters
DEPTH = 16  # parentheses and signs inside one another
EXPONENT = 100
BITS = 2048  # of a numerator or a denominator

# Typography and LaTeX that mean an operator; LaTeX that means nothing.
SAME = {
    "\u2212": "-", "\u2013": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2044": "/", "**": "^",
    "\\times": "*", "\\cdot": "*", "\\div": "/", "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\%": "%", "\\$": "$",
    "{,}": ",", "\\left": "", "\\right": "", "\\,": " ", "\\!": "", "\\;": " ", "\\ ": " ", "\u00a0": " ",
    "\u202f": " ",
}  # fmt: skip
_SAME = re.compile("|".join(re.escape(key) for key in sorted(SAME, key=len, reverse=True)))
_LITERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+"
_TOKEN = re.compile(
    rf"(?P<space>\s*)(?:(?P<literal>(?:{_LITERAL})(?:[eE][+-]?\d{{1,3}}(?!\d))?)|(?P<times>[xX](?=\s*[\d(]))"
    r"|(?P<frac>\\frac)|(?P<sign>[-+*/^%(){}]))",
    re.ASCII,
)
CURRENCY = "$€£¥₹"
_WORDS = re.compile(r"\\(?:text|mathrm|mbox) ?\{([^{}]*)\}")  # LaTeX around a unit
# What may stand after a number as its unit: words, degrees, powers in small type.
_UNIT = re.compile(r"[A-Za-z°²³µ][A-Za-z°²³µ./ '-]*", re.ASCII)


class Unreadable(OperantError):
    """Not a number of the grammar; says where and why."""


class Token(NamedTuple):
    kind: str  # "literal", "frac", "end", or the sign itself
    text: str
    spaced: bool = False  # white space stood before it


def number(text: str, *, units: bool = False, percent: bool = True) -> Fraction:
    """The exact value of a number or an arithmetic expression.

    `units` drops a currency sign before and a unit after it ("$18", "18 eggs"); `percent` makes 50% a half, otherwise
    the sign is a unit like others and 50% is 50.
    """
    if len(text) > LENGTH:
        raise Unreadable(f"{len(text)} characters; a number has at most {LENGTH}")
    plain = _SAME.sub(lambda found: SAME[found.group()], text).strip().rstrip(".").strip()
    if units:
        plain = _WORDS.sub(r" \1", "".join(" " if char in CURRENCY else char for char in plain))
    tokens = _tokens(plain, units=units)
    return _Reader(tokens, text, percent=percent).all()


def _tokens(text: str, *, units: bool) -> list[Token]:
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            if not rest or (units and found and _UNIT.fullmatch(rest)):
                break
            raise Unreadable(f"{text[:40]!r} is no number: {rest[:20]!r} is not understood")
        kind = str(match.lastgroup)
        body = match.group(kind)
        found.append(Token({"times": "*", "sign": body}.get(kind, kind), body, bool(match.group("space"))))
        place = match.end()
    return [*found, Token("end", "")]


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[Token], text: str, *, percent: bool):
        self.tokens, self.text, self.percent, self.place, self.depth = tokens, text, percent, 0, 0

    def all(self) -> Fraction:
        value = self._sum()
        if self._next.kind != "end":
            raise self._wrong(f"{self._next.text!r} is left over")
        return value

    @property
    def _next(self) -> Token:
        return self.tokens[self.place]

    def _take(self, *kinds: str) -> str:
        """The next token where it is one of these, else nothing."""
        kind = self._next.kind
        if kind not in kinds or kind == "end":
            return ""
        self.place += 1
        return kind

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._take("+", "-"):
            other = self._product()
            value = _small(value + other if sign == "+" else value - other)
        return value

    def _product(self) -> Fraction:
        value = self._sign()
        while sign := self._take("*", "/"):
            other = self._sign()
            value = _small(value * other) if sign == "*" else self._divided(value, other)
        return value

    def _divided(self, value: Fraction, other: Fraction) -> Fraction:
        if other == 0:
            raise self._wrong("it divides by zero")
        return _small(value / other)

    def _sign(self) -> Fraction:
        if sign := self._take("+", "-"):
            value = self._deeper(self._sign)
            return -value if sign == "-" else value
        return self._power()

    def _power(self) -> Fraction:
        value = self._atom()
        if not self._take("^"):
            return value
        braced = self._take("{")
        exponent = self._deeper(self._sum if braced else self._sign)
        if braced and not self._take("}"):
            raise self._wrong("a brace is not closed")
        if exponent.denominator != 1 or abs(exponent) > EXPONENT:
            raise self._wrong(f"the exponent is not a whole number between -{EXPONENT} and {EXPONENT}")
        if value == 0 and exponent < 0:
            raise self._wrong("it divides by zero")
        bits = max(abs(value.numerator), value.denominator).bit_length()
        if (bits - 1) * abs(exponent) > BITS:
            raise Unreadable(f"a number of more than {BITS} bits")
        return _small(value ** int(exponent))

    def _atom(self) -> Fraction:
        if self._take("("):
            return self._inside("(", ")")
        if self._take("frac"):
            return self._fraction()
        if self._next.kind != "literal":
            raise self._wrong("a number is missing" + (f" before {self._next.text!r}" if self._next.text else ""))
        text = self._literal()
        value = _exact(text)
        if text.isdigit():
            value += self._mixed()
        if self._take("%") and self.percent:
            value /= 100
        return value

    def _literal(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1].text

    def _mixed(self) -> Fraction:
        """The fraction after a whole number, as in 1 1/2 or 1\\frac{1}{2}; zero where there is none."""
        if self._take("frac"):
            return self._fraction()
        ahead = self.tokens[self.place : self.place + 3]
        if [token.kind for token in ahead] != ["literal", "/", "literal"] or not ahead[0].spaced:
            return Fraction(0)
        if not (ahead[0].text.isdigit() and ahead[2].text.isdigit()):
            return Fraction(0)
        self.place += 3
        return self._divided(_exact(ahead[0].text), _exact(ahead[2].text))

    def _fraction(self) -> Fraction:
        parts = []
        for _ in range(2):
            if not self._take("{"):
                raise self._wrong("\\frac wants two parts in braces")
            parts.append(self._inside("{", "}"))
        return self._divided(parts[0], parts[1])

    def _inside(self, opening: str, closing: str) -> Fraction:
        value = self._deeper(self._sum)
        if not self._take(closing):
            raise self._wrong(f"{opening!r} is not closed")
        return value

    def _deeper(self, read: Callable[[], Fraction]) -> Fraction:
        self.depth += 1
        if self.depth > DEPTH:
            raise self._wrong(f"it nests more than {DEPTH} levels")
        value = read()
        self.depth -= 1
        return value

    def _wrong(self, why: str) -> Unreadable:
        return Unreadable(f"{self.text[:40]!r} is no number: {why}")


def _exact(literal: str) -> Fraction:
    base, _, exponent = literal.replace(",", "").lower().partition("e")
    if exponent and abs(int(exponent)) > EXPONENT:
        raise Unreadable(f"the exponent of {literal[:40]!r} is beyond {EXPONENT}")
    whole, _, decimals = base.partition(".")
    value = Fraction(int((whole + decimals) or "0"), 10 ** len(decimals))
    return _small(value * Fraction(10) ** int(exponent or 0))


def _small(value: Fraction) -> Fraction:
    if max(abs(value.numerator), value.denominator).bit_length() > BITS:
        raise Unreadable(f"a number of more than {BITS} bits")
    return value
