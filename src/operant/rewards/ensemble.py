"""Several reward models as one: their rewards put on one scale, then aggregated.

Eisenstein et al. 2023, arXiv:2312.09244. Bradley-Terry leaves every member's offset and scale to chance, so members
are standardised on answers of the base before they are mixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operant.disk import read_json, write_json
from operant.errors import OperantError, UnknownName, require
from operant.rewards.model import RewardModel, compare_by_score
from operant.schema import Answer, Prompt, Scale, Score, Scorer

Rewards = NDArray[np.float64]
AGGREGATES: dict[str, Callable[[Rewards, float], Rewards]] = {
    "mean": lambda rewards, _: rewards.mean(0),
    "median": lambda rewards, _: np.median(rewards, axis=0),
    "min": lambda rewards, _: rewards.min(0),
    "mean_minus_std": lambda rewards, weight: rewards.mean(0) - weight * rewards.std(0),  # over members, population
}


class Level(NamedTuple):
    """Where one member's rewards lie on the base's answers: subtracted and divided by."""

    mean: float = 0.0
    std: float = 1.0


def level_of(rewards: Sequence[float]) -> Level:
    """From rewards of the base's answers; a member that gives all the same is refused."""
    values = np.asarray(rewards, dtype=float)
    std = float(values.std())
    if not math.isfinite(std) or std == 0:
        raise OperantError(f"a member of the ensemble gives every answer of the base {values[:1]}; it cannot be scaled")
    return Level(float(values.mean()), std)


def aggregate(rewards: Rewards, how: str, *, weight: float = 1.0) -> Rewards:
    """[members, answers] rewards to one for each answer.

    Args:
        how: mean, median, min, or mean_minus_std: mean - weight x standard deviation over members.
        weight: of the disagreement in mean_minus_std; 0 is the mean.
    Source: arXiv:2312.09244, sec. 4.
    """
    if how not in AGGREGATES:
        raise UnknownName("aggregate", how, AGGREGATES)
    require(rewards.ndim == 2 and len(rewards) > 0, "rewards", rewards.shape, "[members, answers], at least one member")
    return AGGREGATES[how](rewards, weight)


class Ensemble:
    """A scorer of several; `parts` of a score are its members' rewards, and `uncertainty` their spread."""

    scale: Scale = "raw"

    def __init__(
        self, members: Sequence[Scorer], *, how: str = "mean", weight: float = 1.0, levels: Sequence[Level] = ()
    ):
        require(len(members) > 0, "members", 0, "at least one reward model")
        require(weight >= 0, "weight", weight, "0 or more")
        self.members, self.how, self.weight = list(members), how, weight
        self.levels = list(levels) or [Level()] * len(members)
        assert len(self.levels) == len(self.members)
        aggregate(np.zeros((1, 1)), how)  # a wrong name is found here, not after training

    def rewards(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> Rewards:
        """[members, answers] on one scale, one member after the other; unknown is NaN."""
        found = []
        for member, level in zip(self.members, self.levels, strict=True):
            values = [math.nan if one.value is None else one.value for one in self._checked(member, prompts, answers)]
            found.append((np.array(values, dtype=float) - level.mean) / level.std)
        return np.array(found).reshape(len(self.members), len(prompts))

    def _checked(self, member: Scorer, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        scores = member.score(prompts, answers)
        for prompt, one in zip(prompts, scores, strict=True):
            if one.value is not None and math.isnan(one.value):
                raise OperantError(
                    f"a member of the ensemble gave NaN to an answer of prompt {prompt.id!r}; a scorer that cannot "
                    "tell says Score(value=None, why=...)"
                )
        return scores

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        if not prompts:
            return []
        rewards = self.rewards(prompts, answers)
        values = aggregate(rewards, self.how, weight=self.weight)
        return [self._one(float(value), rewards[:, place]) for place, value in enumerate(values)]

    def _one(self, value: float, members: Rewards) -> Score:
        if math.isnan(value):
            return Score(value=None, why=f"{int(np.isnan(members).sum())} of {len(members)} members could not tell")
        parts = {f"member {place}": float(one) for place, one in enumerate(members)}
        return Score(value=value, parts={**parts, "uncertainty": float(members.std())})

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid of the difference of aggregates; an order, not a probability, unless there is one member."""
        return compare_by_score(self, prompts, left, right)

    def save(self, directory: Path) -> None:
        for place, member in enumerate(self.members):
            (directory / str(place)).mkdir(parents=True, exist_ok=True)
            member.save(directory / str(place))
        about = {"how": self.how, "weight": self.weight, "levels": [list(level) for level in self.levels]}
        write_json(directory / "ensemble.json", about)

    @classmethod
    def load(cls, directory: Path) -> Ensemble:
        """An ensemble of reward models, as `save` wrote it."""
        about = read_json(directory / "ensemble.json")
        levels = [Level(*one) for one in about["levels"]]
        members = [RewardModel.load(directory / str(place)) for place in range(len(levels))]
        return cls(members, how=about["how"], weight=about["weight"], levels=levels)
