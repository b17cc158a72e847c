"""The `tastes` task: users in four groups, each of which cares about one attribute of a review, up or down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import exp
from random import Random
from typing import Any, NamedTuple

from operant.disk import answer_seed
from operant.domains.text.tasks.reviews import Knobs as ReviewKnobs
from operant.domains.text.tasks.reviews import Reviews
from operant.domains.text.tasks.reviews.gold import gold
from operant.domains.text.tasks.reviews.grammar import Request, draw_review, draw_traits
from operant.errors import NotApplicable, UnknownName
from operant.meter import charge
from operant.schema import Answer, Document, Json, Judged, Metric, Pair, Prompt, Score, Split


class Taste(NamedTuple):
    """What a group wants: an attribute, from -1 to 1, and whether much or little of it."""

    attribute: str
    sign: int


GROUPS = {
    "praise": Taste("sentiment", 1),
    "criticism": Taste("sentiment", -1),
    "formal": Taste("formality", 1),
    "informal": Taste("formality", -1),
}


@dataclass(frozen=True, kw_only=True)
class Knobs(ReviewKnobs):
    """The generator's settings, beside those of the reviews."""

    users: int = 40  # as many in each group; a pair is judged by one of them
    taste_sharpness: float = 6.0  # Bradley-Terry: P(a over b) = sigmoid(sharpness * difference in what the user wants)


class Tastes(Reviews):
    """Feedback is drawn anew for every seed; users and their groups, and test prompts, are the same for all."""

    name = "tastes"
    attributes = ()
    canned = ()
    metrics = (Metric(name="taste", what="what the prompt's user wants, -1 to 1: one attribute, much or little of it"),)
    knobs: Knobs

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        super().__init__(seed=seed, knobs=knobs or Knobs())

    def prompts(self, split: Split) -> list[Prompt]:
        """Each prompt once; columns `user` and `group` say who asks."""
        if split != "test":
            return super().prompts(split)
        asked = super().prompts("test")
        return [self._asked_by(prompt, place) for place, prompt in enumerate(asked)]

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]:
        """Pairs that the groups disagree on; the user of a test pair makes no mistake."""
        if attribute is not None:
            raise UnknownName("attribute", attribute, self.attributes)
        return super().pairs(split)

    def judged(self, split: Split) -> list[Judged]:
        raise NotApplicable(f"{self.name} has pairs alone, and no single answers in its {split} split")

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        assert scored in (True, False)
        raise NotApplicable(f"{self.name} has pairs alone, and no texts to pretrain on in its {split} split")

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """The verdicts of each prompt's user: 1 where left is preferred, else 0. One label each."""
        charge(labels=len(prompts))
        verdicts: list[float | None] = []
        for prompt, one, two in zip(prompts, left, right, strict=True):
            rng = Random(answer_seed(self.seed, "ask", prompt.id, prompt.columns["user"], one.value, two.value))
            verdicts.append(float(self._likes(rng, wanted(prompt, one) - wanted(prompt, two))))
        return verdicts

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        return {"taste": [Score(value=wanted(*one)) for one in zip(prompts, answers, strict=True)]}

    def identity(self) -> Json:
        about = super().identity()
        assert isinstance(about, dict)
        return {**about, "knobs": asdict(self.knobs), "groups": {name: list(taste) for name, taste in GROUPS.items()}}

    def summary(self) -> dict[str, Json]:
        pairs = self.pairs("train")
        wrong = sum(wanted(p.prompt, p.chosen) < wanted(p.prompt, p.rejected) for p in pairs)
        return {
            "source": "generated; feedback is drawn anew for every seed, users and test prompts are shared",
            "pairs": {"train": self.knobs.pairs, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs},
            "users": self.knobs.users,
            "groups": list(GROUPS),
            "test prompts": self.knobs.test_prompts,
            "training labels against the user's taste": f"{wrong / len(pairs):.1%}",
        }

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Tastes:
        changes: dict[str, Any] = {"pairs": pairs, "test_prompts": test_prompts}
        return Tastes(seed=self.seed, knobs=replace(self.knobs, **{k: v for k, v in changes.items() if v is not None}))

    def _asked_by(self, prompt: Prompt, place: int) -> Prompt:
        """By users in turn, and each group in turn."""
        number = place % self.knobs.users
        group = list(GROUPS)[number % len(GROUPS)]
        return replace(prompt, columns={**prompt.columns, "user": f"user {number}", "group": group})

    def _pair(self, split: Split, place: int, attribute: str | None) -> Pair:
        """Drawn again while two groups have no opinion, or the prompt is a test prompt of the other splits."""
        rng = self._rng(f"{split} tastes", place, attribute)
        while True:
            prompt = self._asked_by(self._prompt(rng), place)
            texts = [draw_review(rng, _request(prompt), draw_traits(rng, self.knobs.style)) for _ in range(2)]
            values = [gold(text, _request(prompt)) for text in texts]
            first = self._likes(rng, wanted(prompt, Answer(value=texts[0])) - wanted(prompt, Answer(value=texts[1])),
                                sure=split == "test")  # fmt: skip
            tied = any(values[0][taste.attribute] == values[1][taste.attribute] for taste in GROUPS.values())
            if not tied and (split == "test" or prompt.id not in _tested(self.knobs)):
                chosen, rejected = texts if first else texts[::-1]
                return Pair(prompt=prompt, chosen=Answer(value=chosen), rejected=Answer(value=rejected))

    def _likes(self, rng: Random, gap: float, *, sure: bool = False) -> bool:
        return gap > 0 if sure else rng.random() < 1 / (1 + exp(-self.knobs.taste_sharpness * gap))


def wanted(prompt: Prompt, answer: Answer) -> float:
    """How much of what the prompt's user wants is in an answer, -1 to 1."""
    taste = GROUPS[prompt.columns["group"]]
    return taste.sign * gold(str(answer.value), _request(prompt))[taste.attribute]


def _request(prompt: Prompt) -> Request:
    return Request(prompt.columns["item"], prompt.columns["facts"], prompt.columns["aspects"])


@lru_cache(maxsize=8)
def _tested(knobs: Knobs) -> frozenset[str]:
    """Prompts of the test split and of its pairs."""
    task = Tastes(knobs=knobs)
    return frozenset(prompt.id for prompt in (*task.prompts("test"), *(pair.prompt for pair in task.pairs("test"))))
