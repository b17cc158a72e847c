"""The formula that explains nothing: what every search is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from operant.data.modelless import WithoutModel
from operant.schema import Answer, Decoding, Prompt


class Constant(WithoutModel):
    """Answers with the mean of the values."""

    what = "formulas"

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """The same n times: nothing is drawn."""
        assert decoding is not None and seed is not None
        return [[Answer(value=(float(prompt.content.values.mean()),))] * n for prompt in prompts]

    def save(self, directory: Path) -> None:
        """Nothing is kept."""
        assert directory.is_dir()
