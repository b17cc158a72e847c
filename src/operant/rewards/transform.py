"""Rewards of several scorers, each centred on a reference of its own prompt, combined into one.

Wang et al. 2024, arXiv:2402.00742: sum of log sigmoid(r - reference). The raw and normalised sums stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from operant.errors import OperantError, require
from operant.rewards.model import compare_by_score
from operant.schema import Answer, Prompt, Scale, Score, Scorer


@dataclass(frozen=True)
class Reference:
    """What counts as good on one prompt, and how the base does on it where that was measured; one entry a scorer."""

    centre: tuple[float, ...]  # the reward that marks a good answer
    mean: tuple[float, ...] = ()  # of the base's answers
    spread: tuple[float, ...] = ()  # standard deviation of the base's answers


def quantile_reference(rewards: Tensor, *, q: float, gaussian: bool = False) -> Reference:
    """From [samples, scorers] rewards of the base's answers to one prompt.

    The empirical q-quantile, or mean + z_q * std, which needs fewer samples (arXiv:2402.00742, sec. 4).
    """
    require(0 < q < 1, "q", q, "between 0 and 1")
    mean, spread = rewards.mean(0), rewards.std(0, correction=0)
    if gaussian:
        centre = mean + math.sqrt(2) * torch.erfinv(torch.tensor(2 * q - 1)) * spread
    else:
        centre = rewards.quantile(q, 0)
    return Reference(tuple(centre.tolist()), tuple(mean.tolist()), tuple(spread.tolist()))


class Combined:
    """A scorer whose value is the sum of transformed rewards; a prompt without a reference is an error, never 0."""

    scale: Scale = "nats"

    def __init__(
        self, scorers: Mapping[str, Scorer], transform: Callable[[Tensor, Reference], Tensor],
        references: Mapping[str, Reference], *,
        find: Callable[[Sequence[Prompt]], list[Reference]] | None = None,
    ):  # fmt: skip
        require(len(scorers) > 0, "scorers", 0, "at least one reward model")
        self.scorers, self.transform, self.references, self.find = dict(scorers), transform, dict(references), find

    def refer(self, prompts: Sequence[Prompt]) -> None:
        """Make the references that are missing, all at once, and keep them."""
        missing = list({prompt.id: prompt for prompt in prompts if prompt.id not in self.references}.values())
        if not missing:
            return
        if self.find is None:
            raise OperantError(f"prompt {missing[0].id!r} has no reference reward; compute one from base answers first")
        for prompt, found in zip(missing, self.find(missing), strict=True):
            if len(found.centre) != len(self.scorers) or not all(map(math.isfinite, found.centre)):
                raise OperantError(
                    f"the reference rewards of prompt {prompt.id!r} are {found.centre}; expected one finite number for "
                    f"each of {', '.join(self.scorers)}"
                )
            self.references[prompt.id] = found

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        self.refer(prompts)
        parts = {name: scorer.score(prompts, answers) for name, scorer in self.scorers.items()}
        return [self._one(prompt, {name: many[i] for name, many in parts.items()}) for i, prompt in enumerate(prompts)]

    def _one(self, prompt: Prompt, raw: Mapping[str, Score]) -> Score:
        unknown = [f"{name}: {score.why}" for name, score in raw.items() if score.value is None]
        if unknown:
            return Score(value=None, why="; ".join(unknown))
        values = {name: float(score.value or 0.0) for name, score in raw.items()}
        for name, value in values.items():
            if math.isnan(value):
                raise OperantError(
                    f"{name} gave NaN to an answer of prompt {prompt.id!r}; a scorer that cannot tell says "
                    "Score(value=None, why=...)"
                )
        rewards = torch.tensor(list(values.values())).unsqueeze(1)  # [properties, 1]
        return Score(value=float(self.transform(rewards, self.references[prompt.id])), parts=values)

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        return compare_by_score(self, prompts, left, right)

    def save(self, directory: Path) -> None:
        for name, scorer in self.scorers.items():
            (directory / name).mkdir(parents=True, exist_ok=True)
            scorer.save(directory / name)
