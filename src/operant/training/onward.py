"""Several fits as one: the optimiser remembers from each to the next, and the learning rate follows one schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from operant.engine.recompute import settle
from operant.engine.sharded import sharded
from operant.meter import Cost, charge_cost
from operant.training.checkpoint import load_moments, save_state
from operant.training.track import tell
from operant.training.update import Schedule, batch_of, move, optimizer_of, precision, pull

WEIGHTS = "model.safetensors"


class Span(NamedTuple):
    """Which part of the whole schedule a fit is, between 0 and 1."""

    start: float
    end: float
    before: Path | None = None  # directory of the fit before; the first has none


def fit_onward(
    module: Any, items: Sequence[Any], loss: Callable[[Sequence[Any], Sequence[Any]], Tensor], schedule: Schedule,
    directory: Path, *, span: Span, half: bool = False,
) -> Path:  # fmt: skip
    """Train `module` in place; what is left in `directory`, weights and moments, is what the next fit goes on from.

    Steps are those of `fit`, to the last bit, under the schedule of all fits together, which warms up once and decays
    once. A run that is broken off begins this fit again.
    """
    settle(module)
    whole = replace(schedule, steps=max(1, round(schedule.steps / (span.end - span.start))))
    first, cost = round(span.start * whole.steps), Cost()
    with sharded(module, module) as root:
        optimizer = optimizer_of(module, None, schedule)
        if span.before is not None:
            load_moments(span.before, optimizer)
        for step in range(schedule.steps):
            with precision(module, half=half):
                pulled = pull(root, loss, batch_of(items, schedule, step), schedule)
            values = move(module, optimizer, pulled.loss, whole, min(first + step, whole.steps - 1))
            tell({**values, **pulled.notes}, first + step + 1)
            cost.add(pulled.cost)
        save_state(directory, root, optimizer, {})
    charge_cost(cost)
    module.zero_grad(set_to_none=True)
    return directory / WEIGHTS
