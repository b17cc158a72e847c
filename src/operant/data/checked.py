"""What tasks share whose answers are right or wrong: pairs of both, a verifier, an annotator who is the verifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from operant.errors import NotApplicable, OperantError
from operant.meter import charge
from operant.schema import Answer, Document, Json, Pair, Prompt, Score, Split

K = TypeVar("K", bound="Sizes")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many prompts and pairs a task draws; its own knobs add to them."""

    pairs: int = 1000  # training items, each with a right and a wrong answer
    valid_pairs: int = 200
    test_prompts: int = 100
    test_pairs: int = 200


def resized(knobs: K, *, pairs: int | None, test_prompts: int | None) -> K:
    """The same knobs with other counts; None leaves one as it is."""
    changes: dict[str, Any] = {"pairs": pairs, "test_prompts": test_prompts}
    return replace(knobs, **{name: value for name, value in changes.items() if value is not None})


class Drawn(Protocol):
    """What a task says itself: how a pair is drawn, what is right, which prompts are of the test split."""

    def draw_pair(self, split: Split, place: int) -> Pair: ...

    def right(self, prompt: Prompt, answer: Answer) -> float: ...

    def test_ids(self) -> frozenset[str]: ...


class Checked:
    """Feedback is drawn anew for every seed; test prompts are the same for all. The doors of such a task."""

    name: str
    attributes: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    subject = "text"
    allowance: Mapping[str, float] = {}
    gold_kind = "exact"
    needs_judge = False

    def __init__(self, drawn: Drawn, sizes: Sizes):
        self._task, self._sizes = drawn, sizes
        self._pairs: dict[Split, list[Pair]] = {}

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]:
        """A right answer against a wrong one; the verifier is the judge."""
        if attribute is not None:
            raise NotApplicable(f"{self.name} has no pairs about {attribute!r}; its answers are right or wrong")
        sizes = self._sizes
        counts = {"train": sizes.pairs, "valid": sizes.valid_pairs, "test": sizes.test_pairs}
        if split not in self._pairs:
            self._pairs[split] = [self._task.draw_pair(split, place) for place in range(counts[split])]
        return list(self._pairs[split])

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        raise NotApplicable(f"{self.name} has no documents ({split}, scored={scored}); it has prompts and answers")

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """The verifier as annotator: 1 where only left is right, 0 where only right is, else 0.5. One label each."""
        self._refuse_test(prompts)
        charge(labels=len(prompts))
        return [
            0.5 + 0.5 * (self._task.right(prompt, one) - self._task.right(prompt, two))
            for prompt, one, two in zip(prompts, left, right, strict=True)
        ]

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """1 for a right answer, 0 for another. Test prompts are refused."""
        self._refuse_test(prompts)
        charge(verifier_calls=len(prompts))
        return [Score(value=self._task.right(*row)) for row in zip(prompts, answers, strict=True)]

    def summary(self) -> dict[str, Json]:
        sizes = self._sizes
        return {
            "source": "generated; feedback is drawn anew for every seed, test prompts are shared",
            "pairs": {"train": sizes.pairs, "valid": sizes.valid_pairs, "test": sizes.test_pairs},
            "test prompts": sizes.test_prompts,
        }

    def _refuse_test(self, prompts: Sequence[Prompt]) -> None:
        met = [prompt.id for prompt in prompts if prompt.id in self._task.test_ids()]
        if met:
            raise OperantError(
                f"{len(met)} of {len(prompts)} prompts are test prompts (the first is {met[0]}); the verifier serves "
                "training and validation prompts only"
            )
