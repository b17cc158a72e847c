"""A generator in two steps: a small policy writes a hint into the prompt, and a frozen model answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from operant.disk import answer_seed
from operant.prompting.hints import Place, with_hint
from operant.schema import KL, Answer, Decoding, Generator, Point, Prompt


@dataclass
class Hinted:
    """The base, asked with a hint of its own for every answer.

    Args: keep: what of the policy's text is the hint.
    """

    policy: Generator
    base: Generator
    place: Place = "instruction"
    label: str = "Keywords:"
    tokens: int = 40  # of a hint, at most

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """Its trace is the hint. Temperature 0 takes the likeliest hint."""
        asked = replace(decoding, max_tokens=self.tokens)
        hints = self.policy.answer(prompts, n=n, decoding=asked, seed=answer_seed(seed, "hints"))
        rounds = []
        for place in range(n):
            texts = [str(many[place].value).strip() for many in hints]
            told = [self.told(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
            drawn = self.base.answer(told, n=1, decoding=decoding, seed=answer_seed(seed, "hinted", place))
            rounds.append([replace(many[0], trace={"hint": text}) for many, text in zip(drawn, texts, strict=True)])
        return [list(many) for many in zip(*rounds, strict=True)]

    def told(self, prompt: Prompt, hint: str) -> Prompt:
        return with_hint(prompt, hint, place=self.place, label=self.label)

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Unknown: it would be a sum over all hints."""
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="the probability of an answer is a sum over all hints")

    def points(self) -> list[Point]:
        """The policy's checkpoints."""
        return [replace_generator(point, replace(self, policy=point.generator)) for point in self.policy.points()]

    def save(self, directory: Path) -> None:
        for name, part in (("policy", self.policy), ("base", self.base)):
            (directory / name).mkdir(parents=True, exist_ok=True)
            part.save(directory / name)


def replace_generator(point: Point, generator: Generator) -> Point:
    return Point(knob=point.knob, value=point.value, generator=generator)
