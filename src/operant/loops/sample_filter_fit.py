"""Learning from one's own answers that passed a filter: sample, score, choose, imitate, round after round."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from operant.engine.processes import gathered, place
from operant.errors import OperantError, require
from operant.loops.imitation import imitating_loss
from operant.loops.student import Student, left
from operant.meter import Cost, charge_cost, spent
from operant.models.text import Encoded
from operant.schema import Bench
from operant.training.budgeted import Fit, Stage
from operant.training.onward import Span
from operant.training.pairs import pass_flops


@dataclass(frozen=True, kw_only=True)
class Filtered(Fit):
    """Settings of every method that imitates what it chose among its own answers."""

    rounds: int = 3
    steps: int | None = 500  # of a round, at most; None: as many as its part of the budget pays for
    optimiser: Literal["kept", "fresh"] = "kept"  # it and its schedule go on over all rounds, or begin anew in each
    sampling: float = 0.5  # share of a round's budget, at most, for drawing and scoring
    max_tokens: int = 24  # of an answer; a comparison draws answers of as many

    def __post_init__(self) -> None:
        require(self.rounds >= 1, "rounds", self.rounds, "at least 1")
        require(self.steps is None or self.steps >= 1, "steps", self.steps, "at least 1, or None")
        require(0 < self.sampling < 1, "sampling", self.sampling, "between 0 and 1, a share of a round's budget")
        require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "at least 1")


class Turn(NamedTuple):
    """What a method is told of a round."""

    number: int  # from 0
    rounds: int
    student: Student  # who answers
    allowance: float  # FLOPs that drawing and scoring may take


Gather = Callable[[Turn], Sequence[Encoded]]  # the round's answers that are imitated


def sample_filter_fit(
    bench: Bench, gather: Gather, settings: Filtered, *, student: Student | None = None, least: float = 1.0
) -> Student:  # fmt: skip
    """Rounds with an equal part each of what is left of the budget; fewer where a part would be below `least` FLOPs.

    A round of which nothing is left stops it with a warning that says so, and the policy is that of the round before;
    where it is the first, OperantError.
    """
    student = student or Student(bench)
    rounds = max(1, min(settings.rounds, int(left(bench) / least)))
    for number in range(rounds):
        allowance = left(bench) / (rounds - number)
        rows = _gathered(gather, Turn(number, rounds, student, settings.sampling * allowance))
        if not rows:
            said = f"round {number + 1} of {rounds} left no answer to imitate"
            if number == 0:
                raise OperantError(f"{said}; sample more, or filter less strictly")
            warnings.warn(f"{said}; the policy is that of the round before", stacklevel=2)
            break
        later = (rounds - 1 - number) * allowance
        span = Span(number / rounds, (number + 1) / rounds)
        student.fit(
            rows, imitating_loss(pad=student.policy.tokenizer.pad_token_id), _limited(settings, len(rows)), pass_flops,
            stage=Stage(name=f"round-{number}", share=max(1e-9, 1 - later / left(bench))),
            span=span if settings.optimiser == "kept" else None,
        )  # fmt: skip
    return student


def _limited(settings: Filtered, rows: int) -> Filtered:
    """The number of steps as a number of epochs, which is what a schedule asks for."""
    if settings.steps is None:
        return settings
    epochs = settings.steps * min(settings.batch_size, rows) / rows
    return replace(settings, epochs=epochs if settings.epochs is None else min(epochs, settings.epochs))


def _gathered(gather: Gather, turn: Turn) -> list[Encoded]:
    """The round's answers as the first process has them; all are charged, so that they plan the same steps."""
    made: tuple[list[Encoded], Cost] | None = None
    if place().first:
        before = spent()
        rows = list(gather(turn))
        made = rows, spent().minus(before)
    shared = gathered(made)[0]
    assert shared is not None
    if not place().first:
        charge_cost(shared[1])
    return shared[0]
