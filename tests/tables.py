"""Scorers whose every value is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from operant.rewards.model import win_probability
from operant.schema import Answer, Prompt, Scale, Score


class Table:
    """Scores by the answer's text; an answer that is not in the table is unknown."""

    def __init__(
        self, values: Mapping[str, float], *, scale: Scale = "logit", offsets: Mapping[str, float] | None = None
    ):
        self.values, self.scale, self.offsets, self.calls = dict(values), scale, dict(offsets or {}), 0

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        return [self._one(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)]

    def _one(self, prompt: Prompt, text: str) -> Score:
        if text not in self.values:
            return Score(value=None, why=f"{text!r} is not in the table")
        return Score(value=self.values[text] + self.offsets.get(prompt.id, 0.0))

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        ours, theirs = self.score(prompts, left), self.score(prompts, right)
        return [win_probability(one.value, two.value) for one, two in zip(ours, theirs, strict=True)]

    def save(self, directory: Path) -> None:
        raise AssertionError("not stored")


def answers(*texts: str) -> list[Answer]:
    return [Answer(value=text) for text in texts]


def prompts(*ids: str) -> list[Prompt]:
    return [Prompt(id=one, content=one) for one in ids]
