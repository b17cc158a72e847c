"""Fits that change over from one set of rows to another on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, TypeVar

from torch import Tensor

from operant.disk import answer_seed
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import OperantError, require
from operant.models.scratch import from_scratch
from operant.schema import Bench
from operant.training.budgeted import Cost, Fit, Stage, fit_policy
from operant.training.update import Beside, Schedule, batch_of, parts_of

Row = TypeVar("Row")


@dataclass(frozen=True, eq=False)
class Phase:
    """Rows that are read for a share of the steps, shuffled anew each time they have all been read."""

    rows: Sequence[Any]
    share: float


def scratch(bench: Bench) -> LanguageModel:
    """What training may start from instead of the base: its architecture and tokenizer, with random weights."""
    base: Any = bench.base
    loading = loading_of(base)
    if loading.lora is not None:
        raise OperantError("LoRA trains updates of weights that know something; with start=scratch leave --lora out")
    return LanguageModel(from_scratch(base.module, seed=bench.seed), base.tokenizer, loading=loading)


def parted(documents: Sequence[Row], share: float, *, seed: int) -> tuple[list[Row], list[Row]]:
    """Two disjoint parts, the first of `share`; drawn at random where both hold something, else all as they are."""
    if share in (0, 1):
        return (list(documents), []) if share else ([], list(documents))
    shuffled = Random(answer_seed(seed, "parts")).sample(list(documents), len(documents))
    cut = round(share * len(shuffled))
    require(0 < cut < len(shuffled), "documents", len(shuffled), f"enough to part them {share:g} to {1 - share:g}")
    return shuffled[:cut], shuffled[cut:]


def fit_phases(
    bench: Bench, phases: Sequence[Phase], loss: Callable[[Any, Sequence[Any], Sequence[Any]], Tensor],
    settings: Fit, cost: Cost, *, start: LanguageModel | None = None, beside: Beside | None = None,
) -> LanguageModel:  # fmt: skip
    """A trained copy of the base or of `start`: one optimiser and one schedule over all phases.

    `beside`: a small net that trains along.

    With one phase this is `fit_policy` on its rows, step for step.
    """
    phases = [phase for phase in phases if phase.share > 0]
    if not all(phase.rows for phase in phases):
        raise OperantError(f"none of the texts fits max-length {bench.max_length}, or the data holds none")
    base: Any = start or bench.base
    module = base.trainable(seed=bench.seed).module  # what a step costs hangs on what is trained

    @cache
    def price(phase: Phase, step: int) -> float:
        return sum(cost(module, part) for part in parts_of(_batch(phase, settings, bench.seed, step), _plan(settings)))

    def average(steps: int) -> float:
        return sum(price(phase, step) for phase, step in _places(phases, steps)) / steps

    rows = sum(len(phase.rows) for phase in phases)
    steps = bench.budget.plan(flops_per_step=average(math.ceil(rows / settings.batch_size)))
    if settings.epochs is not None:
        steps = min(steps, max(1, round(settings.epochs * rows / settings.batch_size)))
    while steps > 1 and bench.budget.plan(flops_per_step=average(steps)) < steps:
        steps -= 1
    order = [row for phase, step in _places(phases, steps) for row in _batch(phase, settings, bench.seed, step)]
    once, stage = replace(settings, epochs=1), Stage(shuffled=False, start=start, beside=beside)
    return fit_policy(bench, order, loss, once, cost, stage=stage)


def _places(phases: Sequence[Phase], steps: int) -> list[tuple[Phase, int]]:
    """The phase of every step, and which of the phase's own steps it is."""
    found, done, passed = [], 0, 0.0
    for phase in phases:
        passed += phase.share
        end = round(steps * passed)
        found += [(phase, step) for step in range(end - done)]
        done = end
    return found


def _plan(settings: Fit, *, size: int | None = None, seed: int = 0) -> Schedule:
    return Schedule(
        steps=1, learning_rate=settings.learning_rate, batch_size=size or settings.batch_size, seed=seed,
        accumulate=1 if size else settings.accumulate,
    )  # fmt: skip


def _batch(phase: Phase, settings: Fit, seed: int, step: int) -> list[Any]:
    """A full batch, also where the phase has fewer rows than that: then they are read again."""
    places = range(step * settings.batch_size, (step + 1) * settings.batch_size)
    alone = _plan(settings, size=1, seed=seed)
    return [batch_of(phase.rows, alone, place)[0] for place in places]
