"""The `reactions` task: reviews and the next words of those who read them; how good a review is decides which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import exp
from random import Random
from typing import Any

from operant.domains.text.tasks.reactions.readers import DISSATISFIED, SATISFIED
from operant.domains.text.tasks.reviews import Knobs as ReviewKnobs
from operant.domains.text.tasks.reviews import Reviews
from operant.domains.text.tasks.reviews.gold import gold
from operant.domains.text.tasks.reviews.grammar import Request, draw_review, draw_traits
from operant.schema import Answer, Json, Judged, Prompt, Split


@dataclass(frozen=True, kw_only=True)
class Knobs(ReviewKnobs):
    """The generator's settings, beside those of the reviews."""

    dialogues: int = 4  # training dialogues for each training pair
    reaction_sharpness: float = 2.0  # P(satisfied) = sigmoid(sharpness * (quality - middle))
    reaction_middle: float = 0.9  # the quality at which a reader is satisfied half of the time


class Reactions(Reviews):
    """Feedback is drawn anew for every seed; test prompts are the same for all. Pairs are those of the reviews."""

    name = "reactions"
    attributes = ()
    knobs: Knobs

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        super().__init__(seed=seed, knobs=knobs or Knobs())

    def judged(self, split: Split) -> list[Judged]:
        """Reviews with the column `follow_up`: what a reader said next. Nothing is rated, so they cost no label."""
        train = self.knobs.dialogues * self.knobs.pairs
        counts = {"train": train, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs}
        return [self._dialogue(split, place) for place in range(counts[split])]

    def identity(self) -> Json:
        about = super().identity()
        assert isinstance(about, dict)
        said: list[Json] = [*SATISFIED, *DISSATISFIED]
        return {**about, "knobs": asdict(self.knobs), "readers": said}

    def summary(self) -> dict[str, Json]:
        satisfied = sum(one.prompt.columns["follow_up"] in SATISFIED for one in self.judged("valid"))
        share = f"{satisfied / max(1, self.knobs.valid_pairs):.1%}"
        dialogues = self.knobs.dialogues * self.knobs.pairs
        return {**super().summary(), "dialogues": dialogues, "validation readers who are satisfied": share}

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Reactions:
        changes: dict[str, Any] = {"pairs": pairs, "test_prompts": test_prompts}
        kept = {name: value for name, value in changes.items() if value is not None}
        return Reactions(seed=self.seed, knobs=replace(self.knobs, **kept))

    def _dialogue(self, split: Split, place: int) -> Judged:
        """Drawn again while the prompt is a test prompt of the other splits."""
        rng = self._rng(f"{split} dialogues", place)
        while True:
            prompt = self._prompt(rng)
            request = _request(prompt)
            text = draw_review(rng, request, draw_traits(rng, self.knobs.style))
            said = reaction(rng, gold(text, request)["quality"], self.knobs)
            if split == "test" or prompt.id not in _tested(self.knobs):
                asked = replace(prompt, columns={**prompt.columns, "follow_up": said})
                return Judged(prompt=asked, answer=Answer(value=text))


def satisfaction(quality: float, knobs: Knobs) -> float:
    """The probability that a reader is satisfied."""
    return 1 / (1 + exp(-knobs.reaction_sharpness * (quality - knobs.reaction_middle)))


def reaction(rng: Random, quality: float, knobs: Knobs) -> str:
    """What a reader of a review says next."""
    kinds: Sequence[str] = SATISFIED if rng.random() < satisfaction(quality, knobs) else DISSATISFIED
    return rng.choice(kinds)


def _request(prompt: Prompt) -> Request:
    return Request(prompt.columns["item"], prompt.columns["facts"], prompt.columns["aspects"])


@lru_cache(maxsize=8)
def _tested(knobs: Knobs) -> frozenset[str]:
    """Prompts of the test split and of its pairs."""
    task = Reactions(knobs=knobs)
    return frozenset(prompt.id for prompt in (*task.prompts("test"), *(pair.prompt for pair in task.pairs("test"))))
