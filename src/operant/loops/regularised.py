"""A policy that learns to get more of a reward and is held to the base: E[reward] - weight * KL(policy || base).

REINFORCE on whole answers, with the other answers to a prompt as the baseline. The KL is part of the reward, as
log pi - log ref of what was drawn: there its gradient is that of the KL, which it would not be in the loss.
Source: Ahmadian et al. 2024, arXiv:2402.14740, sec. 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from operant.engine.logps import AnswerLogps, item_values
from operant.engine.step_scores import step_read_flops
from operant.errors import require
from operant.loops.policy_gradient import Learner, policy_gradient
from operant.loops.rounds import Cost, Kept, Recipe, Round, RoundFit, free, learnt
from operant.objectives.advantage import leave_one_out
from operant.objectives.policy_gradient import rloo_loss
from operant.schema import Bench, Prompt, Scorer
from operant.training.budgeted import WHOLE, Stage

CLIP = 0.2  # of the ratio to what was drawn, where a round has several updates


def regularised(
    bench: Bench, reward: Scorer, settings: RoundFit, *, weight: float, judging: Cost = free,
    prompts: Sequence[Prompt] | None = None, stage: Stage = WHOLE,
) -> Learner:  # fmt: skip
    """Rounds over the training prompts, or over those given.

    Args: weight: of the KL, rewards per nat. judging: FLOPs of scoring answers.
    """
    require(weight >= 0, "the weight of the KL", weight, "0 or more")
    pad = bench.base.tokenizer.pad_token_id

    def values(module: Any, part: Sequence[Kept], whole: Round) -> Tensor:
        worth = held(whole, weight)

        def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
            one = learnt([part[place] for place in places], found, whole)
            above = found.logps.new_tensor([worth[id(part[place])] for place in places])
            return rloo_loss(one.logps, one.old, one.mask, above, low=CLIP, high=CLIP)

        return item_values(module, [[one.row] for one in part], of, pad=pad)

    recipe = Recipe(
        reward=reward.score, advantage=leave_one_out, values=values, reference=weight > 0, judging=judging
    )  # fmt: skip
    return policy_gradient(bench, recipe, settings, prompts=prompts, stage=stage)


def reading(heads: Sequence[Any]) -> Cost:
    """What it costs that each of these reward models reads the answers once."""
    return lambda _, rows: sum(step_read_flops(head, rows) for head in heads)


def held(whole: Round, weight: float) -> dict[int, float]:
    """Of every answer by its `id`: reward less weight * (log pi - log ref), above the mean of the others."""
    found: dict[int, float] = {}
    for group in whole.groups:
        paid = [one.reward - weight * (sum(one.old) - sum(one.reference) if weight else 0.0) for one in group]
        above = leave_one_out(torch.tensor([paid]))[0].tolist() if len(group) > 1 else [0.0] * len(group)
        found |= {id(one): value for one, value in zip(group, above, strict=True)}
    return found
