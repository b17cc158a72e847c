"""The formula that explains nothing: what every search is compared with. And the doors that searches share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.errors import NotApplicable
from operant.schema import KL, Answer, Decoding, Point, Prompt


class Searching:
    """What generators of formulas have in common: no weights, no tokens of a model, no knob."""

    @property
    def module(self) -> Any:
        raise NotApplicable("formulas are not written by a language model here; this method needs one")

    @property
    def tokenizer(self) -> Any:
        raise NotApplicable("formulas have no tokenizer")

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        """A search has no distribution."""
        assert len(prompts) == len(answers)
        return None

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="a search for formulas has no base distribution to stay near")

    def points(self) -> list[Point]:
        return []


class Constant(Searching):
    """Answers with the mean of the values."""

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """The same n times: nothing is drawn."""
        assert decoding is not None and seed is not None
        return [[Answer(value=(float(prompt.content.values.mean()),))] * n for prompt in prompts]

    def save(self, directory: Path) -> None:
        """Nothing is kept."""
        assert directory.is_dir()
