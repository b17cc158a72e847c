"""One number for every step of an answer, read where the step is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.body import passes, read_flops, size_of
from operant.engine.token_scores import token_scores
from operant.meter import charge
from operant.models.text import Encoded


class Stepped(NamedTuple):
    """An answer, and which of its tokens are predicted from a whole step."""

    row: Encoded
    at: tuple[int, ...]


def step_logits(head: Any, items: Sequence[Stepped], *, pad: int) -> list[Tensor]:
    """Of each answer [steps], differentiable: log of the odds that a step is right."""
    scores = token_scores(head, [one.row for one in items], pad=pad).scores
    odds = scores[..., 1] - scores[..., 0] if scores.dim() == 3 else scores
    return [odds[place, list(one.at)] for place, one in enumerate(items)]


@torch.no_grad()
def all_steps(head: Any, items: Sequence[Stepped], *, pad: int) -> list[tuple[float, ...]]:
    """The chance that each step of each answer is right."""
    charge(reward_calls=len(items))
    found: list[tuple[float, ...]] = [()] * len(items)
    for group in passes(head, [one.row for one in items]):
        for place, odds in zip(group, step_logits(head, [items[at] for at in group], pad=pad), strict=True):
            found[place] = tuple(odds.sigmoid().tolist())
    return found


def step_read_flops(head: Any, rows: Sequence[Encoded]) -> float:
    """What `all_steps` costs."""
    return read_flops(head, size_of(head, rows)._replace(scored=0))
