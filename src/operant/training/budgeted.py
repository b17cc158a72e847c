"""Training within the budget: the batches that will come are priced one by one, before the first is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from operant.engine.policy import LanguageModel
from operant.schema import Bench
from operant.training.fit import Schedule, batch_of, fit, parts_of

SAVE_EVERY = 50  # steps between resumable states


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings of every method that trains a model; its own Config adds to them."""

    learning_rate: float
    batch_size: int = 8
    accumulate: int = 1  # parts that a batch is computed in: changes memory, not the result
    epochs: float | None = None  # at most this many; None: as many as the budget pays for


@dataclass(frozen=True, kw_only=True)
class PolicyFit(Fit):
    """The same for a policy, which leaves checkpoints for its curve."""

    points: int = 3


Cost = Callable[[Sequence[Any]], float]  # FLOPs of one part, forward and backward


def schedule_for(bench: Bench, items: Sequence[Any], settings: Fit, cost: Cost, *, points: int = 0) -> Schedule:
    """As many steps as the budget pays for, and no more than `epochs`."""
    size = min(settings.batch_size, len(items))
    schedule = Schedule(
        steps=1, learning_rate=settings.learning_rate, batch_size=settings.batch_size, accumulate=settings.accumulate,
        points=points, save_every=SAVE_EVERY, seed=bench.seed,
    )  # fmt: skip

    def price(step: int) -> float:
        return sum(cost(part) for part in parts_of(batch_of(items, schedule, step), schedule))

    epoch = math.ceil(len(items) / size)
    steps = bench.budget.plan(flops_per_step=sum(map(price, range(epoch))) / epoch)
    if settings.epochs is not None:
        steps = min(steps, max(1, round(settings.epochs * len(items) / size)))
    total = sum(map(price, range(steps)))
    while steps > 1 and bench.budget.plan(flops_per_step=total / steps) < steps:
        steps -= 1
        total -= price(steps)
    return replace(schedule, steps=steps)


def fit_policy(
    bench: Bench, items: Sequence[Any], loss: Callable[[Any, Sequence[Any], Sequence[Any]], Tensor],
    settings: PolicyFit, cost: Cost,
) -> LanguageModel:  # fmt: skip
    """A trained copy of the base. `loss(module, part, whole batch)` gives one value per item of the part."""
    policy = bench.base.snapshot()
    schedule = schedule_for(bench, items, settings, cost, points=settings.points)

    def bound(part: Sequence[Any], whole: Sequence[Any]) -> Tensor:
        return loss(policy.module, part, whole)

    fitted = fit(policy.module, items, bound, schedule, bench.dir / "fit")
    return LanguageModel(policy.module, policy.tokenizer, checkpoints=fitted.checkpoints)
