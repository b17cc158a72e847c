"""A reward head that is trained on anything that is read as answers, more than once if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.engine.recompute import recomputing
from operant.engine.reward import reward_flops, reward_scores
from operant.models.adapters import add_lora
from operant.models.heads import new_reward_head
from operant.models.text import Encoded
from operant.models.wide_heads import widen
from operant.schema import Bench
from operant.training.budgeted import Fit, PolicyFit, Stage, is_half, schedule_for
from operant.training.fit import Fitted, fit
from operant.training.reward import Head

Item = TypeVar("Item")
Read = Callable[[Sequence[Item]], list[Encoded]]  # the answers that a part is read as, whatever number each item has
Loss = Callable[[Tensor, Sequence[Item]], Tensor]  # (rewards of what was read, part) -> one value per item


def fresh_head(body: Any, *, seed: int, outputs: int = 1) -> Head:
    """A head on a copy of `body`, a language model; the one that the same seed gives everywhere in this library."""
    rng = torch.Generator().manual_seed(answer_seed(seed, "reward head"))
    module = new_reward_head(body.module, body.tokenizer, rng=rng)
    if outputs > 1:
        widen(module, outputs, rng=rng)
    if body.loading.lora is not None:
        return Head(module, add_lora(module, body.loading.lora, seed=seed, scores=True))
    return Head(module.float(), None)


def fit_on(
    bench: Bench, head: Head, items: Sequence[Item], read: Read[Item], loss: Loss[Item], settings: Fit,
    *, stage: Stage,
) -> Fitted:  # fmt: skip
    """Train a head in place, from where it stands, as long as the stage's share of the budget pays for.

    Checkpoints are left where the settings ask for points.
    """
    base: Any = bench.base
    points = settings.points if isinstance(settings, PolicyFit) else 0

    def bound(part: Sequence[Item], whole: Sequence[Item]) -> Tensor:
        assert whole
        return loss(reward_scores(head.module, base.tokenizer, read(part)), part)

    def cost(part: Sequence[Item]) -> float:
        return reward_flops(head.module, base.tokenizer, read(part))

    with recomputing(head.module) if settings.recompute else nullcontext():
        schedule = schedule_for(bench, items, settings, cost, seed=bench.seed, points=points, stage=stage)
        return fit(head.module, items, bound, schedule, bench.dir / stage.name, half=is_half(base))
