"""A task whose feedback is answers that are right by construction, and a measure of them off the test split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from operant.data.without import WithoutFeedback
from operant.errors import OperantError
from operant.meter import charge
from operant.schema import Answer, Judged, Metric, Prompt, Score, Split


class Demonstrated(WithoutFeedback, ABC):
    """What such tasks share. A task says how it draws (`drawn`), measures (`gold`) and what its counts are called.

    Training and validation are drawn anew for every seed, test is the same for all.
    """

    knobs_of: ClassVar[Any]  # a frozen dataclass with `flops`, `test` and the count that `many` names
    many: ClassVar[str]  # how many there are to learn from
    metrics: tuple[Metric, ...]

    def __init__(self, *, seed: int = 0, knobs: Any = None):
        self.seed, self.knobs = seed, knobs or self.knobs_of()

    @abstractmethod
    def drawn(self, split: Split, seed: int) -> Sequence[Judged]:
        """Prompts of a split with answers that are right."""

    @abstractmethod
    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        """Every metric of every answer."""

    @property
    def allowance(self) -> Mapping[str, float]:
        return {"flops": self.knobs.flops}

    def judged(self, split: Split) -> list[Judged]:
        return list(self.drawn(split, 0 if split == "test" else self.seed))

    def prompts(self, split: Split) -> list[Prompt]:
        return [one.prompt for one in self.judged(split)]

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """The primary metric, for training and validation prompts."""
        if any(prompt.columns["split"] == "test" for prompt in prompts):
            raise OperantError(f"an answer to a test prompt of {self.name} was to be verified; train and valid may be")
        charge(verifier_calls=len(prompts))
        return self.gold(prompts, answers)[self.metrics[0].name]

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Any:
        """The same generator with other counts; `pairs` is how many there are to learn from."""
        changes = {self.many: pairs, "test": test_prompts}
        knobs = replace(self.knobs, **{name: value for name, value in changes.items() if value is not None})
        return type(self)(seed=self.seed, knobs=knobs)
