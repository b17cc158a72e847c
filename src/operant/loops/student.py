"""A policy that is trained fit after fit, in place, and what each of its fits may take of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from torch import Tensor

from operant.engine.policy import LanguageModel
from operant.engine.recompute import recomputing
from operant.models.weights import load_weights
from operant.schema import Bench
from operant.training.budgeted import Cost, Fit, Stage, is_half, schedule_for
from operant.training.fit import fit
from operant.training.onward import Span, fit_onward
from operant.training.update import Loss, Schedule


class Student:
    """A trainable copy of the base. One copy whatever the number of fits, so that adapters stay those of the base."""

    def __init__(self, bench: Bench):
        base: Any = bench.base
        self.bench, self.half = bench, is_half(base)
        self.policy: LanguageModel = base.trainable(seed=bench.seed)
        self.policy.module.eval()
        self.ends: dict[int, Path] = {}  # steps done -> weights at the end of a fit
        self._moments: Path | None = None  # where the optimiser of a fit that goes on stands

    def fit(
        self, items: Sequence[Any], loss: Callable[[Any, Sequence[Any], Sequence[Any]], Tensor], settings: Fit,
        cost: Cost, *, stage: Stage, span: Span | None = None,
    ) -> None:  # fmt: skip
        """Go on from where it stands; `loss` and `cost` as for `fit_policy`.

        With a fresh optimiser; with a `span`, as that part of one long fit, whose optimiser remembers.
        """
        module = self.policy.module

        def bound(part: Sequence[Any], whole: Sequence[Any]) -> Tensor:
            return loss(module, part, whole)

        def price(part: Sequence[Any]) -> float:
            return cost(module, part)

        with recomputing(module) if settings.recompute else nullcontext():
            schedule = schedule_for(
                self.bench, items, settings, price, seed=self.bench.seed, points=1, stage=stage
            )  # fmt: skip
            end = self._fitted(items, bound, schedule, self.bench.dir / stage.name, span)
        module.eval()
        self.ends[max(self.ends, default=0) + schedule.steps] = end

    def _fitted(
        self, items: Sequence[Any], bound: Loss[Any], schedule: Schedule, where: Path, span: Span | None
    ) -> Path:
        """Where the weights stand at the end."""
        module = self.policy.module
        if span is None:
            return fit(module, items, bound, schedule, where, half=self.half).checkpoints[schedule.steps]
        onward = span._replace(before=self._moments)
        end = fit_onward(module, items, bound, schedule, where, span=onward, half=self.half)
        self._moments = end.parent
        return end

    @contextmanager
    def as_after(self, fits: int) -> Iterator[LanguageModel]:
        """Inside, what it was after so many fits, 0 being the base; the same module, so that nothing is copied."""
        paths, base = list(self.ends.values()), self.bench.base
        if fits in (0, len(paths)):
            now: Any = self.policy if fits == len(paths) and paths else base
            yield now
            return
        load_weights(self.policy.module, paths[fits - 1])
        try:
            yield self.policy
        finally:
            load_weights(self.policy.module, paths[-1])

    def after(self, fits: int) -> LanguageModel:
        """A copy of what it was after so many fits; 0 is the base."""
        base: Any = self.bench.base
        return self.policy.at(list(self.ends.values())[fits - 1]) if fits else base

    def finished(self) -> LanguageModel:
        """The policy, with what it was at the end of each fit as its checkpoints."""
        return self.policy.trained(self.ends)


def left(bench: Bench) -> float:
    """FLOPs that the budget still has; BudgetExceeded where it has none."""
    return float(bench.budget.plan(flops_per_step=1.0))


def share_of(bench: Bench, allowance: float, *, spent: float) -> float:
    """The share of what is left now that is left of an allowance; a fit may take so much."""
    now = left(bench)
    return min(1.0, max(allowance - spent, 1.0) / now)
