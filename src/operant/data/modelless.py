"""A generator whose answers no language model writes: agents, searches, composers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from operant.errors import NotApplicable
from operant.schema import KL, Answer, Point, Prompt


class WithoutModel:
    """The doors of such a generator: no weights of a language model, no tokens, no base to stay near, no knob."""

    what: str  # are not written by a language model

    @property
    def module(self) -> NoReturn:
        raise NotApplicable(f"{self.what} are not written by a language model; this method needs one")

    @property
    def tokenizer(self) -> NoReturn:
        raise NotApplicable(f"{self.what} have no tokenizer; this method needs one")

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        assert len(prompts) == len(answers)
        return None

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why=f"{self.what} have no base distribution to stay near")

    def points(self) -> list[Point]:
        return []
