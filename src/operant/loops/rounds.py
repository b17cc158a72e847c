"""What a round of a policy's own answers is made of, and how a method says what it learns from one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.logps import AnswerLogps, item_values
from operant.engine.rollouts import Asked
from operant.errors import require
from operant.models.text import Encoded
from operant.schema import Answer, Prompt, Score
from operant.training.budgeted import SAVE_EVERY, PolicyFit
from operant.training.pairs import pass_flops


@dataclass(frozen=True, kw_only=True)
class RoundFit(PolicyFit):
    """Settings of every method that learns from its own answers. `batch_size` prompts make a round."""

    group: int = 8  # answers drawn for each prompt
    updates: int = 1  # of the policy for each round of answers
    max_tokens: int = 24  # of an answer; a comparison draws answers of as many

    def __post_init__(self) -> None:
        require(self.group >= 2, "group", self.group, "at least 2 answers a prompt, or there is no baseline")
        require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "at least 1")
        # A state is saved between two rounds then, so that a run goes on exactly: answers are not in it.
        whole = self.updates >= 1 and SAVE_EVERY % self.updates == 0
        require(whole, "updates", self.updates, f"a divisor of {SAVE_EVERY}")


class Turn(NamedTuple):
    """A prompt's place in the rounds: one item of a fit."""

    number: int  # of the round
    update: int  # which of the round's updates
    place: int  # in the round
    asked: Asked


class Kept(NamedTuple):
    """An answer that is learnt from."""

    row: Encoded
    old: tuple[float, ...]  # log-probability of each token as it was drawn, nats
    reference: tuple[float, ...]  # under the base, nats; () where it was not asked
    reward: float
    advantage: float


class Round(NamedTuple):
    """What is learnt from, prompt by prompt."""

    number: int  # from 0
    groups: tuple[tuple[Kept, ...], ...]
    flops: float  # of drawing it, and of its updates

    @property
    def everyone(self) -> list[Kept]:
        return [one for group in self.groups for one in group]


class Learnt(NamedTuple):
    """Some answers of a round as an objective takes them; [answers, tokens] but for the last three."""

    logps: Tensor  # under the policy, nats, with gradient
    old: Tensor
    reference: Tensor  # 0 where the base was not asked
    mask: Tensor
    rewards: Tensor  # [answers]
    advantages: Tensor  # [answers]
    whole: Round  # what all of the round's normalisers are read from


Judge = Callable[[Sequence[Prompt], Sequence[Answer]], Sequence[Score]]
Advantage = Callable[[Tensor], Tensor]  # [groups, answers] rewards, NaN where unknown -> the same shape
Choose = Callable[[Sequence[float], Random], Sequence[int]]  # rewards of a prompt's answers -> which are learnt from
Objective = Callable[[Learnt], Tensor]  # -> [answers]; their mean over a round's kept answers is the loss
Values = Callable[[Any, Sequence[Kept], Round], Tensor]  # (module, some answers, their round) -> [answers]
Cost = Callable[[Any, Sequence[Encoded]], float]  # (module, rows) -> FLOPs of an update on them


def everyone(rewards: Sequence[float], _: Random) -> Sequence[int]:
    """Learn from every answer."""
    return range(len(rewards))


def free(module: Any, rows: Sequence[Encoded]) -> float:
    """A reward that costs no FLOPs."""
    assert module is not None and rows is not None
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What makes one method of policy gradients different from another."""

    reward: Judge
    advantage: Advantage
    values: Values
    choose: Choose = everyone
    most: int | None = None  # answers of a prompt that `choose` may choose; None: all
    reference: bool = False  # whether the base's log-probabilities are asked for
    cost: Cost = pass_flops
    judging: Cost = free  # FLOPs of the reward, where it asks a model


def answerwise(objective: Objective, *, pad: int) -> Values:
    """An objective of answers as training calls it: one pass, in which answers to a prompt share it."""

    def values(module: Any, part: Sequence[Kept], whole: Round) -> Tensor:
        def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
            return objective(learnt([part[place] for place in places], found, whole))

        return item_values(module, [[one.row] for one in part], of, pad=pad)

    return values


def learnt(part: Sequence[Kept], found: AnswerLogps, whole: Round) -> Learnt:
    """The answers of a part beside their log-probabilities."""
    old = _table([one.old for one in part], found.logps)
    reference = _table([one.reference for one in part], found.logps)
    told = found.logps.new_tensor([[one.reward, one.advantage] for one in part])
    return Learnt(found.logps, old, reference, found.mask, told[:, 0], told[:, 1], whole)


def _table(values: Sequence[tuple[float, ...]], like: Tensor) -> Tensor:
    """[answers, tokens], 0 behind each answer."""
    wide = torch.zeros_like(like)
    for place, own in enumerate(values):
        wide[place, : len(own)] = like.new_tensor(own)
    return wide
