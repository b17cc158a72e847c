"""The frozen model as the world in which hints act: what its answers are worth behind a hint, and what asking costs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from operant.domains.text.induction import targets_of
from operant.engine.body import read_flops, size_of
from operant.errors import NotApplicable, offered, require
from operant.loops.rounds import RoundFit
from operant.models.endpoint.http import EndpointError
from operant.models.text import Encoded
from operant.prompting.hints import Place, usable, with_hint
from operant.rewards.keyword_steps import step_rewards
from operant.rewards.rouge import rouge_mean
from operant.schema import Answer, Bench, Decoding, Prompt, Score


@dataclass(frozen=True, kw_only=True)
class Settings(RoundFit):
    """What a hint is, where it stands, and what it is worth."""

    stimuli: Literal["triggers", "keywords"] = "keywords"  # what a hint is; the column `stimulus` goes before both
    metric: Literal["rouge", "verifier"] = "rouge"  # of the model's answer: against the reference, or right or wrong
    place: Place = "line"  # of the hint: a line of its own before the last, or behind the instruction
    label: str = "Keywords:"  # in front of a hint on a line of its own
    asked: int = 4  # answers of the model to one hint, at temperature 0.7
    answer_tokens: int = 24  # of such an answer
    coefficient: float = 10.0  # what the metric's mean is multiplied by
    step: float = 1.0  # the same for keywords; 0: only the answer counts
    unhinted: bool = False  # subtract the metric of the answer without a hint
    max_tokens: int = 40  # of a hint

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.asked >= 1, "asked", self.asked, "at least 1")


class Asking:
    """The frozen model as the world in which hints act. The same hint to the same prompt is asked once."""

    def __init__(self, config: Settings, bench: Bench):
        self.config, self.bench = config, bench
        pairs = (
            offered(lambda: bench.task.pairs("train") + bench.task.pairs("valid")) if config.metric == "rouge" else []
        )
        self.chosen = {pair.prompt.id: str(pair.chosen.value) for pair in reversed(pairs)}
        self.known: dict[tuple[str, str], float | None] = {}
        self.failed = 0

    def reference(self, prompt: Prompt) -> str:
        """What a good answer looks like: the column `reference`, an accepted answer, or what was preferred."""
        given = prompt.columns.get("reference") or next(iter(targets_of(prompt)), None) or self.chosen.get(prompt.id)
        return str(given or "")

    def worth(self, prompts: Sequence[Prompt], hints: Sequence[str]) -> list[float | None]:
        """Mean metric of the model's answers behind each hint, 0 to 1; None where a call failed."""
        asked = list(dict.fromkeys(zip((one.id for one in prompts), map(str.strip, hints), strict=True)))
        by_id = {prompt.id: prompt for prompt in prompts}
        new = [key for key in asked if key not in self.known]
        for key, value in zip(new, self._ask([(by_id[name], hint) for name, hint in new]), strict=True):
            self.known[key] = value
        return [self.known[prompt.id, hint.strip()] for prompt, hint in zip(prompts, hints, strict=True)]

    def _ask(self, rows: Sequence[tuple[Prompt, str]]) -> list[float | None]:
        told = [with_hint(*row, place=self.config.place, label=self.config.label) for row in rows]
        decoding = Decoding(max_tokens=self.config.answer_tokens, temperature=0.7)
        ask = partial(self.bench.base.answer, n=self.config.asked, decoding=decoding, seed=self.bench.seed)
        try:
            drawn: list[list[Answer] | None] = list(ask(told)) if told else []
        except EndpointError:  # one bad call: ask one by one, and drop what fails
            drawn = [self._one(ask, one) for one in told]
        return [None if many is None else self._metric(row[0], many) for row, many in zip(rows, drawn, strict=True)]

    def _one(self, ask: Any, prompt: Prompt) -> list[Answer] | None:
        try:
            found: list[Answer] = ask([prompt])[0]
            return found
        except EndpointError as error:
            self.failed += 1
            if self.failed == 1:
                warnings.warn(f"a call failed, and its hint is dropped: {error}", stacklevel=2)
            return None

    def _metric(self, prompt: Prompt, answers: Sequence[Answer]) -> float | None:
        if self.config.metric == "rouge":
            reference = self.reference(prompt)
            values: list[float | None] = [rouge_mean(str(one.value), reference) for one in answers] if reference else []
        else:
            values = [one.value for one in self.bench.task.verify([prompt] * len(answers), answers)]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def reward(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """coefficient x metric, less that without a hint where asked for, and the rewards of single keywords."""
        hints = [str(answer.value) for answer in answers]
        values = self.worth(prompts, hints)
        plain = self.worth(prompts, [""] * len(prompts)) if self.config.unhinted else [0.0] * len(prompts)
        found = []
        for prompt, hint, value, without in zip(prompts, hints, values, plain, strict=True):
            if value is None or without is None:
                found.append(Score(value=None, why="the model could not be asked, or nobody could tell"))
                continue
            steps = sum(self.steps(prompt, hint)) if self.config.step else 0.0
            found.append(Score(value=self.config.coefficient * (value - without) + self.config.step * steps))
        return found

    def steps(self, prompt: Prompt, hint: str) -> list[float]:
        if self.config.stimuli != "keywords":
            return []
        return step_rewards(hint, self.reference(prompt), usable=usable)


def weights(base: Any) -> bool:
    try:
        return base.module is not None
    except NotApplicable:
        return False


@dataclass
class Judging:
    """What the model's answers to a round's hints take, FLOPs, for planning."""

    config: Settings
    base: Any
    pad: tuple[int, ...] = field(default=(0,))

    def __call__(self, module: Any, rows: Sequence[Encoded]) -> float:
        assert module is not None
        if not weights(self.base):
            return 0.0
        told = [(*row.prompt, *row.answer) for row in rows for _ in range(self.config.asked)]
        answers = [Encoded(ids, self.pad * self.config.answer_tokens) for ids in told]
        return read_flops(self.base.module, size_of(self.base.module, answers))
