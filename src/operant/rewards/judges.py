"""Judges that look at nothing but the surface: what any learnt scorer has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from operant.schema import Answer, Prompt, Scale, Score


class LongerWins:
    """Prefers the answer with more characters; no opinion where both have the same."""

    scale: Scale = "raw"

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        assert len(prompts) == len(answers)
        return [Score(value=float(len(str(answer.value)))) for answer in answers]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        ours, theirs = self.score(prompts, left), self.score(prompts, right)
        return [0.5 + 0.5 * ((a.value or 0) > (b.value or 0)) - 0.5 * ((a.value or 0) < (b.value or 0))
                for a, b in zip(ours, theirs, strict=True)]  # fmt: skip

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
