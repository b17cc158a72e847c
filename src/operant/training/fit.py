"""The one training loop. It is handed the loss; it knows no paper, no data layout and no objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from operant.disk import answer_seed
from operant.errors import OperantError, require
from operant.meter import Cost, charge_cost, metered
from operant.training.checkpoint import load_state, save_state, weights

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

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.batch_size % self.accumulate == 0, "accumulate", self.accumulate, "a divisor of batch_size")


@dataclass(kw_only=True)
class Fitted:
    """What a fit leaves: checkpoints by step, and the mean loss of every step."""

    checkpoints: dict[int, Path] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)


def fit(
    module: Any, items: Sequence[Item], loss: Loss[Item], schedule: Schedule, directory: Path,
    *, progress: Callable[[int, int], None] | None = None,
) -> Fitted:  # fmt: skip
    """Train `module` in place on `items`; a run killed at any moment goes on from its last state.

    The loss of a step is the mean over its items, however they are split into parts. Dropout is off. What the steps
    cost is charged once, also when the run was resumed.
    """
    require(len(items) > 0, "training items", 0, "at least one; the feedback holds none of this kind")
    optimizer = torch.optim.AdamW(module.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    fitted, cost, start = Fitted(), Cost(), 0
    state = directory / "resume"
    if state.is_dir():
        rest = load_state(state, module, optimizer)
        fitted.losses, cost, start = rest["losses"], Cost(**rest["cost"]), rest["step"]
    module.eval()
    kept = _kept_steps(schedule)
    fitted.checkpoints = {step: directory / f"point-{step}.safetensors" for step in kept if step <= start}
    for step in range(start, schedule.steps):
        with metered() as one:
            fitted.losses.append(_step(module, optimizer, loss, _batch(items, schedule, step), schedule, step))
        cost.add(one)
        if step + 1 in kept:
            fitted.checkpoints[step + 1] = _keep(module, directory, step + 1)
        if schedule.save_every and (step + 1) % schedule.save_every == 0 and step + 1 < schedule.steps:
            rest = {"step": step + 1, "losses": fitted.losses, "cost": asdict(cost)}
            save_state(state, module, optimizer, rest)
        if progress:
            progress(step + 1, schedule.steps)
    charge_cost(cost)
    module.zero_grad(set_to_none=True)
    return fitted


def _kept_steps(schedule: Schedule) -> list[int]:
    """Evenly spaced steps, the last one included."""
    count = min(schedule.points, schedule.steps)
    return sorted({math.ceil(schedule.steps * place / count) for place in range(1, count + 1)})


def _keep(module: Any, directory: Path, step: int) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"point-{step}.safetensors"
    partial = path.with_suffix(".partial")
    save_file(weights(module), partial)
    partial.replace(path)
    return path


def _batch(items: Sequence[Item], schedule: Schedule, step: int) -> list[Item]:
    """The items of a step: every epoch is a new permutation, decided by (seed, epoch) alone."""
    size = min(schedule.batch_size, len(items))
    places = range(step * size, (step + 1) * size)
    orders = {epoch: _order(len(items), schedule.seed, epoch) for epoch in {place // len(items) for place in places}}
    return [items[orders[place // len(items)][place % len(items)]] for place in places]


def _order(count: int, seed: int, epoch: int) -> list[int]:
    rng = torch.Generator().manual_seed(answer_seed(seed, "order", epoch))
    return torch.randperm(count, generator=rng).tolist()


def _step(
    module: Any, optimizer: torch.optim.Optimizer, loss: Loss[Item], batch: list[Item], schedule: Schedule, step: int
) -> float:
    size = math.ceil(len(batch) / schedule.accumulate)
    total = 0.0
    for start in range(0, len(batch), size):
        part = loss(batch[start : start + size], batch).sum() / len(batch)
        part.backward()
        total += float(part.detach())
    if not math.isfinite(total):
        raise OperantError(f"the loss is {total} at step {step + 1} of {schedule.steps}; lower the learning rate")
    torch.nn.utils.clip_grad_norm_(module.parameters(), schedule.max_grad_norm)
    rate = schedule.learning_rate * _rate(step, schedule)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def _rate(step: int, schedule: Schedule) -> float:
    """Linear warm-up, then linear decay; 0..1."""
    warm = max(1, round(schedule.warmup * schedule.steps))
    return min((step + 1) / warm, (schedule.steps - step) / max(1, schedule.steps - warm))
