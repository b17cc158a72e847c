"""A model that is not there: right at a known rate, and turned right or wrong by the sentences that it finds.

It tries whole procedures (prompts, generator, verifier, test) at known effects, thousands of answers a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from operant.disk import answer_seed, write_json
from operant.errors import require
from operant.schema import KL, Answer, Decoding, Point, Prompt

WRONG = "none"


class Flips(NamedTuple):
    """Shares of all items that a sentence turns from wrong to right, and from right to wrong."""

    up: float
    down: float


class Simulated:
    """Answers with a target of the prompt or with "none". Which items are right hangs on (seed, prompt id) alone.

    Args:
        accuracy: share right without any sentence.
        flips: sentence -> what it does; the longest that stands in the prompt counts.
    """

    def __init__(self, flips: Mapping[str, Flips], *, seed: int, accuracy: float = 0.5):
        for one in flips.values():
            room = one.up <= 1 - accuracy and one.down <= accuracy
            require(room, "flips", tuple(one), f"at most {1 - accuracy:g} up and {accuracy:g} down")
        self.flips = dict(sorted(flips.items(), key=lambda item: -len(item[0])))
        self.seed, self.accuracy = seed, accuracy

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n times the same answer: this model is certain. `seed` and `decoding` change nothing."""
        assert decoding.max_tokens and seed is not None
        return [[Answer(value=self._one(prompt))] * n for prompt in prompts]

    def _one(self, prompt: Prompt) -> str:
        right = self._chance(prompt.id, "plain") < self.accuracy
        sentence = next((text for text in self.flips if text in str(prompt.content)), None)
        if sentence is not None:
            one = self.flips[sentence]
            turned = one.down / self.accuracy if right else one.up / (1 - self.accuracy)
            right ^= self._chance(prompt.id, sentence) < turned
        return str(prompt.columns["targets"][0]) if right else WRONG

    def _chance(self, *parts: str) -> float:
        return answer_seed(self.seed, *parts) / 2**63

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="a simulated model has no distribution")

    def points(self) -> list[Point]:
        return []

    def save(self, directory: Path) -> None:
        flips: dict[str, Any] = {text: list(one) for text, one in self.flips.items()}
        write_json(directory / "simulated.json", {"flips": flips, "seed": self.seed, "accuracy": self.accuracy})
