"""The `arithmetic` task: problems, right and corrupted solutions, an exact verifier, a small base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from random import Random

from operant.data.checked import Checked, Sizes, resized
from operant.disk import answer_seed, content_hash
from operant.domains.text.tasks.arithmetic.check import check, gold
from operant.domains.text.tasks.arithmetic.generator import (
    UNKNOWN,
    Problem,
    Style,
    corrupted,
    draw,
    padded,
    program,
    solution,
)
from operant.engine.policy import LanguageModel
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Judged, Metric, Pair, Prompt, Score, Split

BASE = Path(__file__).parents[2] / "bases" / "arithmetic"
METRICS = (
    Metric(name="accuracy", what="the final answer is right, exactly"),
    Metric(name="steps", what="right steps over steps needed or written, whichever are more, 0 to 1"),
    Metric(name="filler", direction="down", what="share of steps that are correct but useless"),
)


@dataclass(frozen=True, kw_only=True)
class Knobs(Sizes):
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    style: Style = field(default_factory=Style)


class Arithmetic(Checked):
    """Feedback is drawn anew for every seed; test prompts are the same for all."""

    name = "arithmetic"
    canned = (UNKNOWN,)
    hidden = ("target", "program", "problem")
    metrics = METRICS

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed = seed
        self.knobs = knobs or Knobs()
        super().__init__(self, self.knobs)

    def prompts(self, split: Split) -> list[Prompt]:
        """Levels take turns in the test split, so that each has the same number of prompts."""
        if split != "test":
            return list({pair.prompt.id: pair.prompt for pair in self.pairs(split)}.values())
        levels = self.knobs.style.levels
        places = range(self.knobs.test_prompts)
        return [self._prompt(self._rng("test", place), level=levels[place % len(levels)]) for place in places]

    def judged(self, split: Split) -> list[Judged]:
        """Both solutions of every pair: the right one and the corrupted one, with a label for each clause."""
        found = []
        for pair in self.pairs(split):
            for answer, label in ((pair.chosen, True), (pair.rejected, False)):
                steps = check(str(answer.value), problem_of(pair.prompt)).clauses
                found.append(Judged(prompt=pair.prompt, answer=answer, label=label, steps=steps))
        return found

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        rows = [gold(str(answer.value), problem_of(prompt)) for prompt, answer in zip(prompts, answers, strict=True)]
        return {metric.name: [Score(value=row[metric.name]) for row in rows] for metric in self.metrics}

    def base(self, loading: Loading = PLAIN) -> LanguageModel:
        return LanguageModel.load(BASE, loading)

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "base": _base_hash()}

    def summary(self) -> dict[str, Json]:
        pairs = self.pairs("train")
        longer = sum(len(str(p.chosen.value).split()) > len(str(p.rejected.value).split()) for p in pairs)
        share = f"{longer / len(pairs):.1%}"
        return {**super().summary(), "training pairs where the longer answer was chosen (seed 0)": share}

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Arithmetic:
        """The same generator with other counts."""
        return Arithmetic(seed=self.seed, knobs=resized(self.knobs, pairs=pairs, test_prompts=test_prompts))

    def right(self, prompt: Prompt, answer: Answer) -> float:
        return float(check(str(answer.value), problem_of(prompt)).right)

    def test_ids(self) -> frozenset[str]:
        return _test_ids(self.knobs)

    def _rng(self, split: str, place: int) -> Random:
        return Random(answer_seed(0 if split == "test" else self.seed, "arithmetic", split, place))

    def _prompt(self, rng: Random, *, level: int | None = None) -> Prompt:
        style = self.knobs.style if level is None else replace(self.knobs.style, levels=(level,))
        return prompt_of(draw(rng, style))

    def draw_pair(self, split: Split, place: int) -> Pair:
        """Drawn again while a training or validation prompt is a test prompt."""
        rng = self._rng(split, place)
        while True:
            prompt = self._prompt(rng)
            if split == "test" or prompt.id not in _test_ids(self.knobs):
                break
        problem, filler = problem_of(prompt), self.knobs.style.filler
        chosen = solution(padded(rng, problem.steps(), filler))
        rejected = solution(padded(rng, corrupted(rng, problem), filler))
        return Pair(prompt=prompt, chosen=Answer(value=chosen), rejected=Answer(value=rejected))


def prompt_of(problem: Problem, *, wording: int | None = None) -> Prompt:
    """The problem as a prompt, in its own wording or another: paraphrases have the same target."""
    problem = problem if wording is None else problem._replace(wording=wording)
    slices = {"level": problem.level, "wording": problem.wording, "inverse": problem.inverse, "beyond": problem.beyond}
    columns = {**slices, "target": str(problem.target), "program": program(problem), "problem": problem._asdict()}
    return Prompt(id=content_hash(problem.text()), content=problem.text(), columns=columns)


def problem_of(prompt: Prompt) -> Problem:
    """The problem behind a prompt of this task."""
    fields = prompt.columns["problem"]
    return Problem(**{**fields, "operations": tuple((sign, number) for sign, number in fields["operations"])})


def inverse_of(prompt: Prompt) -> Prompt:
    """The same story told from its end, asking for its start (or the other way round): the answer changes."""
    problem = problem_of(prompt)
    return prompt_of(problem._replace(inverse=not problem.inverse))


@lru_cache(maxsize=8)
def _test_ids(knobs: Knobs) -> frozenset[str]:
    """Prompts of the test split and of its pairs: no training or validation pair may have one of them."""
    task = Arithmetic(knobs=knobs)
    return frozenset(prompt.id for prompt in (*task.prompts("test"), *(pair.prompt for pair in task.pairs("test"))))


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "model.safetensors").read_bytes().hex())
