"""Formulas that grow a token at a time, and which tokens may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operant.domains.symbolic.expression import PLACEHOLDER, Token, Tokens, arity

WAVES = ("sin", "cos")
INVERSE = {"exp": "log", "log": "exp"}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a formula may be made of. Limits of the release."""

    vocabulary: Tokens
    max_tokens: int = 20
    max_height: int = 5
    max_constants: int = 8


class _Slot(NamedTuple):
    """A part that is still to come."""

    depth: int
    in_wave: bool  # below a sine or cosine
    above: Token | None


class Growing:
    """A formula so far. Slots are filled in pre-order."""

    def __init__(self, rules: Rules, prefix: Sequence[Token] = ()):
        self.rules, self.tokens = rules, list[Token]()
        self._slots = [_Slot(depth=0, in_wave=False, above=None)]
        for token in prefix:
            self.add(token)

    @property
    def whole(self) -> bool:
        return not self._slots

    def add(self, token: Token) -> None:
        """Fill the next slot."""
        slot = self._slots.pop()
        part = _Slot(slot.depth + 1, slot.in_wave or token in WAVES, token)
        self._slots += [part] * arity(token)
        self.tokens.append(token)

    def legal(self) -> NDArray[np.bool_]:
        """[vocabulary]: what may fill the next slot; a leaf always may."""
        slot, rules = self._slots[-1], self.rules
        room = rules.max_tokens - len(self.tokens) - len(self._slots)
        if slot.depth > rules.max_height:
            room = 0
        constants = rules.max_constants - self.tokens.count(PLACEHOLDER)
        return _legal(rules, slot._replace(depth=min(slot.depth, 1)), min(room, 2), min(constants, 1))


@lru_cache(maxsize=4096)
def _legal(rules: Rules, slot: _Slot, room: int, constants: int) -> NDArray[np.bool_]:
    """By what decides: the slot, how many parts there is room for, and whether a constant may be."""
    found = np.array([_may(token, slot, room, constants) for token in rules.vocabulary])
    found.setflags(write=False)
    return found


def _may(token: Token, slot: _Slot, room: int, constants: int) -> bool:
    if not arity(token):
        return token != PLACEHOLDER or constants > 0
    if arity(token) > room or token in WAVES and (slot.in_wave or slot.above is None):
        return False
    return slot.above is None or INVERSE.get(str(token)) != slot.above
