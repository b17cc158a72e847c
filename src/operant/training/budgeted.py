"""Training within the budget: the batches that will come are priced one by one, before the first is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from operant.engine.policy import LanguageModel
from operant.engine.recompute import recomputing
from operant.schema import Bench
from operant.training.fit import fit
from operant.training.update import Beside, Schedule, batch_of, parts_of

SAVE_EVERY = 50  # steps between resumable states


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings of every method that trains a model; its own Config adds to them."""

    learning_rate: float
    batch_size: int = 8
    accumulate: int = 1  # parts that a batch is computed in: changes memory, not the result
    epochs: float | None = None  # at most this many; None: as many as the budget pays for
    recompute: bool = False  # layers keep their inputs alone and compute again: less memory, a third more work


@dataclass(frozen=True, kw_only=True)
class PolicyFit(Fit):
    """The same for a policy, which leaves checkpoints for its curve."""

    points: int = 3


PartCost = Callable[[Sequence[Any]], float]  # FLOPs of one part, forward and backward
Cost = Callable[[Any, Sequence[Any]], float]  # the same, given the module that is trained


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One fit among those that a method makes."""

    name: str = "fit"  # of its folder
    share: float = 1.0  # of the budget that is left
    shuffled: bool = True  # False: items are read in the order given
    start: LanguageModel | None = None  # what is trained, where it is not the base
    beside: Beside | None = None  # a small net that trains along


WHOLE = Stage()


def schedule_for(
    bench: Bench, items: Sequence[Any], settings: Fit, cost: PartCost, *, seed: int, points: int = 0,
    stage: Stage = WHOLE,
) -> Schedule:  # fmt: skip
    """As many steps as the stage's share of the budget pays for, and no more than `epochs`.

    `seed` decides the order of the items, and with it what each batch costs.
    """
    size = min(settings.batch_size, len(items))
    schedule = Schedule(
        steps=1, learning_rate=settings.learning_rate, batch_size=settings.batch_size, accumulate=settings.accumulate,
        points=points, save_every=SAVE_EVERY, seed=seed, shuffled=stage.shuffled,
    )  # fmt: skip

    def price(step: int) -> float:
        return sum(cost(part) for part in parts_of(batch_of(items, schedule, step), schedule))

    epoch = math.ceil(len(items) / size)
    steps = bench.budget.plan(flops_per_step=sum(map(price, range(epoch))) / epoch / stage.share)
    if settings.epochs is not None:
        steps = min(steps, max(1, round(settings.epochs * len(items) / size)))
    total = sum(map(price, range(steps)))
    while steps > 1 and bench.budget.plan(flops_per_step=total / steps / stage.share) < steps:
        steps -= 1
        total -= price(steps)
    return replace(schedule, steps=steps)


def fit_policy(
    bench: Bench, items: Sequence[Any], loss: Callable[[Any, Sequence[Any], Sequence[Any]], Tensor],
    settings: Fit, cost: Cost, *, stage: Stage = WHOLE,
) -> LanguageModel:  # fmt: skip
    """A trained copy of the base. `loss(module, part, whole batch)` gives one value per item of the part.

    `cost(module, part)` prices a part, FLOPs.
    """
    base: Any = stage.start or bench.base
    policy: LanguageModel = base.trainable(seed=bench.seed)
    points = settings.points if isinstance(settings, PolicyFit) else 0

    def price(part: Sequence[Any]) -> float:
        return cost(policy.module, part)

    def bound(part: Sequence[Any], whole: Sequence[Any]) -> Tensor:
        return loss(policy.module, part, whole)

    where, half = bench.dir / stage.name, is_half(base)
    with recomputing(policy.module) if settings.recompute else nullcontext():
        schedule = schedule_for(bench, items, settings, price, seed=bench.seed, points=points, stage=stage)
        fitted = fit(policy.module, items, bound, schedule, where, beside=stage.beside, half=half)
    return policy.trained(fitted.checkpoints)


def is_half(base: Any) -> bool:
    """Whether training computes in bfloat16, as the base does."""
    return next(base.module.parameters()).dtype == torch.bfloat16
