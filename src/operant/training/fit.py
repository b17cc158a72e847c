"""The one training loop. It is handed the loss; it knows no paper, no data layout and no objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from operant.disk import whole_file
from operant.engine.processes import gathered, place
from operant.engine.recompute import settle
from operant.engine.sharded import Root, sharded
from operant.errors import OperantError, require
from operant.meter import Cost, charge_cost
from operant.models.weights import weights
from operant.training.checkpoint import load_moments, load_state, save_state
from operant.training.track import tell
from operant.training.update import Beside, Item, Loss, Schedule, batch_of, move, optimizer_of, precision, pull


@dataclass(kw_only=True)
class Fitted:
    """What a fit leaves: checkpoints by step, and the mean loss of every step."""

    checkpoints: dict[int, Path] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)


def fit(
    module: Any, items: Sequence[Item], loss: Loss[Item], schedule: Schedule, directory: Path,
    *, beside: Beside | None = None, half: bool = False,
) -> Fitted:  # fmt: skip
    """Train `module` in place on `items`; a run killed at any moment goes on from its last state.

    The loss of a step is the mean over its items, however they are split into parts, and over the processes that have
    joined. Dropout is off in `module`. What the steps cost is charged once, also when the run was resumed. `half`:
    compute in bfloat16 over float32 weights. Files are written by the first process, into its `directory`.
    """
    require(len(items) > 0, "training items", 0, "at least one; the feedback holds none of this kind")
    net = module if beside is None else torch.nn.ModuleDict({"model": module, "beside": beside.module})
    directory = gathered(directory)[0]
    state, about = directory / "resume", {"schedule": asdict(schedule), "items": len(items)}
    rest = load_state(state, net, about)
    start, cost, kept = rest.get("step", 0), Cost(**rest.get("cost", {})), _kept_steps(schedule)
    _same_everywhere({**about, "from step": start})
    fitted = Fitted(losses=rest.get("losses", []))
    fitted.checkpoints = {step: directory / f"point-{step}.safetensors" for step in kept if step <= start}
    settle(module)
    with sharded(net, module) as root:
        optimizer = optimizer_of(module, beside, schedule)
        if start:
            load_moments(state, optimizer)
        for step in range(start, schedule.steps):
            with precision(module, half=half):
                pulled = pull(root, loss, batch_of(items, schedule, step), schedule)
            values = move(net, optimizer, pulled.loss, schedule, step)
            fitted.losses.append(pulled.loss)
            tell({**values, **pulled.notes}, step + 1)
            cost.add(pulled.cost)
            if step + 1 in kept:
                fitted.checkpoints[step + 1] = _keep(root, module, directory, step + 1)
            if schedule.save_every and (step + 1) % schedule.save_every == 0 and step + 1 < schedule.steps:
                rest = {"step": step + 1, "losses": fitted.losses, "cost": asdict(cost), "about": about}
                save_state(state, root, optimizer, rest)
    charge_cost(cost)
    net.zero_grad(set_to_none=True)
    return fitted


def _same_everywhere(about: dict[str, Any]) -> None:
    """Processes that do not plan the same steps would wait for each other for ever."""
    for rank, other in enumerate(gathered(about)):
        if other != about:
            raise OperantError(
                f"process {rank} would train on {other}, process {place().rank} on {about}; give all processes the "
                "same arguments, the same files and one directory that all of them see"
            )


def _kept_steps(schedule: Schedule) -> list[int]:
    """Evenly spaced steps, the last one included."""
    count = min(schedule.points, schedule.steps)
    return sorted({math.ceil(schedule.steps * place / count) for place in range(1, count + 1)})


def _keep(root: Root, module: Any, directory: Path, step: int) -> Path:
    path = directory / f"point-{step}.safetensors"
    with root.whole() as first:
        if first:
            with whole_file(path) as partial:
                save_file(weights(module), partial)
    return path
