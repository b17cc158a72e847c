"""What an answer is worth: whether it is right, and how good its weakest step is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from operant.disk import answer_seed
from operant.errors import OperantError
from operant.loops.step_labels import solutions, step_values
from operant.rewards.process import ProcessReward
from operant.schema import Bench
from operant.training.budgeted import Fit, Stage
from operant.training.steps import fit_steps, given_steps

if TYPE_CHECKING:
    from operant.methods.loop.b_star import Config

LOGIT = 5.0  # about the largest that a process reward model says; the paper divides by it
TRIED = 4  # answers of each prompt that the process reward model learns from
TRIES = 4  # completions of each of their steps


def step_judge(config: Config, bench: Bench) -> ProcessReward | None:
    """A process reward model, on its share of the budget: half for trying steps out, half for the fit."""
    if config.prm == "none":
        return None
    share = config.prm_share
    if config.prm == "given":
        rows = given_steps(bench, step_end=config.step_end)
    else:
        share = config.prm_share / 2
        mixed = Random(answer_seed(bench.seed, "tried")).sample(
            bench.task.prompts("train"), len(bench.task.prompts("train"))
        )
        solved = solutions(
            bench, mixed[: config.prompts], n=TRIED, max_tokens=config.max_tokens, step_end=config.step_end
        )  # fmt: skip
        if not solved:
            raise OperantError(
                "no answer leaves room for others of its length in max-length; raise it, or take prm=none"
            )
        rows = step_values(bench, solved, kind="hard", n=TRIES, max_tokens=config.max_tokens, share=share)
    settings = Fit(learning_rate=config.learning_rate * config.prm_rate, epochs=2, recompute=config.recompute)
    head = fit_steps(bench, rows, settings, stage=Stage(name="process", share=share))
    base: Any = bench.base
    return ProcessReward(
        head.module, base.tokenizer, max_length=bench.max_length, step_end=config.step_end, adapter=head.adapter
    )  # fmt: skip


def weakest_logit(steps: Sequence[float]) -> float:
    """The least of the steps' logits, from -5 to 5; NaN where one is no number, -5 where there is no step."""
    if any(math.isnan(one) for one in steps):
        return math.nan
    least = min(steps, default=0.0)
    if least in (0.0, 1.0):
        return LOGIT if least else -LOGIT
    return max(-LOGIT, min(LOGIT, math.log(least / (1 - least))))
