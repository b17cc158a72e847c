"""The `formula` task: values of a formula at some points; the answer is the formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from operant.data.without import WithoutFeedback
from operant.disk import answer_seed, content_hash
from operant.domains.symbolic.constant import Constant
from operant.domains.symbolic.expression import Points, compute
from operant.domains.symbolic.grammar import read
from operant.domains.symbolic.metrics import METRICS, measured
from operant.domains.symbolic.samples import Samples
from operant.domains.symbolic.tasks.formula.targets import NGUYEN, PHYSICS, TARGETS, Target
from operant.errors import OperantError, require
from operant.meter import charge
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Prompt, Score, Split

SETS = {"train": (), "valid": PHYSICS, "test": NGUYEN}


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    points: int = 20  # of each target, as in Nguyen's set
    fresh_points: int = 200  # at which the fit is measured
    noise: float = 0.0  # standard deviation of the noise, as a share of the values' own
    targets: int | None = None  # test targets, from the first; None: all
    evaluations: int = 40_000  # the ceiling of one answer: times that a formula is computed over all points


class Formulas(WithoutFeedback):
    """Prompts are samples, answers are formulas. Points of validation targets are drawn anew for every seed."""

    name = "formula"
    subject = "symbolic"
    metrics = METRICS
    hidden = ("target",)
    offers = "samples of formulas, and a verifier of validation targets"

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed, self.knobs = seed, knobs or Knobs()
        require(self.knobs.noise >= 0, "noise", self.knobs.noise, "at least 0")

    @property
    def allowance(self) -> Mapping[str, float]:
        return {"evaluations": float(self.knobs.evaluations)}

    def prompts(self, split: Split) -> list[Prompt]:
        """Nobody trains: methods search anew for every prompt. Settings are tried on formulas of physics."""
        require(split in SETS, "split", split, "train, valid or test")
        targets = SETS[split][: self.knobs.targets] if split == "test" else SETS[split]
        return [self._prompt(target, split) for target in targets]

    def _prompt(self, target: Target, split: Split) -> Prompt:
        points, values = self._sampled(target, self.knobs.points, "given")
        rng = np.random.default_rng(answer_seed(self._seed(target), target.name, "noise"))
        values = values + rng.normal(size=len(values)) * self.knobs.noise * values.std()
        columns = {"name": target.name, "variables": target.variables, "target": target.formula, "split": split}
        return Prompt(id=content_hash([target.name, split]), content=Samples(points, values), columns=columns)

    def _sampled(self, target: Target, count: int, what: str) -> tuple[Points, Points]:
        rng = np.random.default_rng(answer_seed(self._seed(target), target.name, what))
        points = rng.uniform(target.low, target.high, size=(count, target.variables))
        return points, compute(read(target.formula, variables=names(target)), points)

    def _seed(self, target: Target) -> int:
        """Test prompts are the same under every seed."""
        return 0 if target in NGUYEN else self.seed

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """The fit at fresh points, for validation targets."""
        if any(prompt.columns["split"] == "test" for prompt in prompts):
            raise OperantError("a formula for a test target was to be verified; methods may verify validation targets")
        charge(verifier_calls=len(prompts))
        return self.gold(prompts, answers)["fit"]

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        found = [self._measured(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return {metric.name: [one[metric.name] for one in found] for metric in METRICS}

    def _measured(self, prompt: Prompt, answer: Answer) -> dict[str, Score]:
        target = next(one for one in TARGETS if one.name == prompt.columns["name"])
        points, _ = self._sampled(target, self.knobs.fresh_points, "fresh")
        return measured(answer.value, read(target.formula, variables=names(target)), points)

    def base(self, loading: Loading = PLAIN) -> Constant:
        """The mean of the values, whatever the point."""
        assert loading is not None
        return Constant()

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "targets": [list(one) for one in TARGETS]}

    def summary(self) -> dict[str, Json]:
        return {"valid": [one.name for one in PHYSICS], "test": [p.columns["name"] for p in self.prompts("test")],
                "points": self.knobs.points, "noise": self.knobs.noise}  # fmt: skip

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Formulas:
        """The same task with `pairs` points of each target, and the first `test_prompts` targets."""
        changes: dict[str, Any] = {"points": pairs, "targets": test_prompts}
        knobs = replace(self.knobs, **{name: value for name, value in changes.items() if value is not None})
        return Formulas(seed=self.seed, knobs=knobs)


def names(target: Target) -> list[str]:
    return [f"x{place}" for place in range(1, target.variables + 1)]
