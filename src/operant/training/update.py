"""One step of training: the items of a batch, its gradient, and the move along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.engine.processes import Place, gathered, place
from operant.engine.sharded import Root, whole_tensor
from operant.errors import OperantError, require
from operant.meter import Cost, metered
from operant.training.track import means, noting

Item = TypeVar("Item")
Loss = Callable[[Sequence[Item], Sequence[Item]], Tensor]  # (part, whole batch) -> one value per item of the part


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast. One step sees `batch_size` items, `batch_size // accumulate` at a time."""

    steps: int
    learning_rate: float
    batch_size: int = 8
    accumulate: int = 1
    warmup: float = 0.1  # share of steps; then linear decay to 0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    points: int = 0  # checkpoints kept along the way, the last step included
    save_every: int = 0  # steps between resumable states; 0: none
    seed: int = 0
    shuffled: bool = True  # False: items are read in the order given, again from the start when they run out

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        divides = self.accumulate >= 1 and self.batch_size % self.accumulate == 0
        require(divides, "accumulate", self.accumulate, f"a divisor of batch_size, which is {self.batch_size}")
        require(0 <= self.warmup <= 1, "warmup", self.warmup, "between 0 and 1, a share of the steps")
        require(self.max_grad_norm > 0, "max_grad_norm", self.max_grad_norm, "above 0")
        require(min(self.points, self.save_every) >= 0, "points or save_every", (self.points, self.save_every), ">= 0")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A small net that is trained together with the model, with a weight decay of its own, and is not kept."""

    module: Any
    weight_decay: float = 0.0


def optimizer_of(model: Any, beside: Beside | None, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW over what is trained; frozen weights cost it nothing."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [{"params": trained, "weight_decay": schedule.weight_decay}]
    if beside is not None:
        groups.append({"params": list(beside.module.parameters()), "weight_decay": beside.weight_decay})
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, fused=True)


def precision(model: Any, *, half: bool) -> AbstractContextManager[Any]:
    """Matrix products in bfloat16 under float32 weights, or everything as it is."""
    device = next(model.parameters()).device.type
    return torch.autocast(device, dtype=torch.bfloat16) if half else nullcontext()


def batch_of(items: Sequence[Item], schedule: Schedule, step: int) -> list[Item]:
    """The items of a step. Shuffled, every epoch is a new permutation, decided by (seed, epoch) alone."""
    size = min(schedule.batch_size, len(items))
    places = range(step * size, (step + 1) * size)
    if not schedule.shuffled:
        return [items[place % len(items)] for place in places]
    orders = {epoch: _order(len(items), schedule.seed, epoch) for epoch in {place // len(items) for place in places}}
    return [items[orders[place // len(items)][place % len(items)]] for place in places]


def parts_of(batch: Sequence[Item], schedule: Schedule, *, processes: int = 1) -> list[Sequence[Item]]:
    """The batch as it is computed: `accumulate` parts or a few more, so that they go round among the processes.

    Each is one forward and backward pass.
    """
    rounds = math.ceil(schedule.accumulate / processes)
    size = math.ceil(len(batch) / (rounds * processes))
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def own_parts(batch: Sequence[Item], schedule: Schedule, here: Place) -> list[Sequence[Item]]:
    """The parts that one of several processes computes. All have as many; some may hold nothing."""
    parts = parts_of(batch, schedule, processes=here.processes)
    missing = -len(parts) % here.processes
    return [*parts, *[batch[:0]] * missing][here.rank :: here.processes]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    rng = torch.Generator().manual_seed(answer_seed(seed, "order", epoch))
    return torch.randperm(count, generator=rng).tolist()


class Pulled(NamedTuple):
    """What a batch left beside its gradient: sums over all processes."""

    loss: float
    cost: Cost
    notes: dict[str, float]


def pull(root: Root, loss: Loss[Item], batch: list[Item], schedule: Schedule) -> Pulled:
    """The gradient of a batch's mean loss; each process computes its own parts."""
    total, everyone = 0.0, Cost()
    with metered() as cost, noting() as notes:
        for rows in own_parts(batch, schedule, place()):
            total += _backward(root, loss, rows, batch)
    totals, costs, noted = zip(*gathered((total, cost, notes)), strict=True)
    for one in costs:
        everyone.add(one)
    return Pulled(sum(totals), everyone, means(noted))


def _backward(root: Root, loss: Loss[Item], rows: Sequence[Item], batch: Sequence[Item]) -> float:
    """One part's share of the mean. Without rows one is computed for nothing: to sum gradients takes every process."""
    if not rows:
        with metered(), noting():
            (0.0 * root(lambda: loss(batch[:1], batch)).sum()).backward()
        return 0.0
    values = root(lambda: loss(rows, batch))
    assert values.shape == (len(rows),), f"a loss gives one value per item, got {tuple(values.shape)}"
    part = values.sum() / len(batch)
    part.backward()
    return float(part.detach())


def move(
    net: Any, optimizer: torch.optim.Optimizer, total: float, schedule: Schedule, step: int
) -> dict[str, float]:  # fmt: skip
    """Follow the gradient for one step; what a tracker is told of it."""
    norm = float(whole_tensor(torch.nn.utils.clip_grad_norm_(net.parameters(), schedule.max_grad_norm)))
    for what, value in (("loss", total), ("norm of the gradient", norm)):
        if not math.isfinite(value):
            where = f"at step {step + 1} of {schedule.steps}"
            raise OperantError(f"the {what} is {value} {where}; lower the learning rate, {schedule.learning_rate}")
    rate = schedule.learning_rate * _rate(step, schedule)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {"loss": total, "grad_norm": norm, "learning_rate": rate}


def _rate(step: int, schedule: Schedule) -> float:
    """Linear warm-up, then linear decay; 0..1."""
    warm = max(1, round(schedule.warmup * schedule.steps))
    return min((step + 1) / warm, (schedule.steps - step) / max(1, schedule.steps - warm))
