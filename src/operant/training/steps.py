"""Fit a process reward model to steps that were called right or wrong, or right to some extent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from operant.disk import answer_seed
from operant.engine.recompute import recomputing
from operant.engine.step_scores import Stepped, step_logits
from operant.engine.token_scores import token_score_flops
from operant.errors import NotApplicable, OperantError
from operant.models.adapters import add_lora
from operant.models.step_heads import new_step_head
from operant.models.steps import closed, read_at, step_ends
from operant.models.text import Encoded, encode
from operant.schema import Bench
from operant.training.budgeted import Fit, Stage, is_half, schedule_for
from operant.training.fit import fit
from operant.training.reward import Head


class StepRow(NamedTuple):
    """An answer's steps and how right each is, 0 to 1."""

    steps: Stepped
    labels: tuple[float, ...]


def step_row(tokenizer: Any, row: Encoded, ends: Sequence[int], labels: Sequence[float]) -> StepRow:
    """Steps that end at these tokens of the row's answer."""
    whole = closed(tokenizer, row)
    return StepRow(Stepped(whole, read_at(whole, ends)), tuple(labels))


def given_steps(bench: Bench, *, step_end: str) -> list[StepRow]:
    """What the feedback says of steps; NotApplicable where it says nothing of them."""
    tokenizer = bench.base.tokenizer
    judged = [one for one in bench.task.judged("train") if one.steps]
    if not judged:
        raise NotApplicable(
            "the feedback calls no step right or wrong; with labels=soft steps are judged by how often the base comes "
            "from them to a right answer"
        )
    rows, found = encode(tokenizer, [one.prompt for one in judged], [one.answer for one in judged]), []
    for row, one in zip(rows, judged, strict=True):
        if len(row.prompt) + len(row.answer) >= bench.max_length:
            continue
        labels, ends = tuple(map(float, one.steps or ())), step_ends(tokenizer, row.answer, step_end)
        if len(ends) != len(labels):
            raise OperantError(
                f"prompt {one.prompt.id!r} has an answer of {len(ends)} steps by step_end={step_end!r}, and "
                f"{len(labels)} labels for them; set step_end to what ends a step"
            )
        found.append(step_row(tokenizer, row, ends, labels))
    if not found:
        raise OperantError(f"none of the {len(judged)} answers with labels for their steps fits max-length")
    return found


def fit_steps(bench: Bench, rows: Sequence[StepRow], settings: Fit, *, stage: Stage) -> Head:
    """A head on a copy of the base, as long as the stage's share of the budget pays for; mean surprise of a step."""
    base: Any = bench.base
    rng = torch.Generator().manual_seed(answer_seed(bench.seed, "process reward"))
    head, lora = new_step_head(base.module, base.tokenizer, rng=rng), base.loading.lora
    adapter = None if lora is None else add_lora(head, lora, seed=bench.seed, scores=True)
    if adapter is None:
        head.float()

    def loss(part: Sequence[StepRow], whole: Sequence[StepRow]) -> Tensor:
        scale = len(whole) / sum(len(row.labels) for row in whole)
        odds = step_logits(head, [row.steps for row in part], pad=base.tokenizer.pad_token_id)
        each = [
            F.binary_cross_entropy_with_logits(own, own.new_tensor(row.labels), reduction="sum")
            for own, row in zip(odds, part, strict=True)
        ]
        return scale * torch.stack(each)

    def cost(part: Sequence[StepRow]) -> float:
        return token_score_flops(head, [row.steps.row for row in part])

    with recomputing(head) if settings.recompute else nullcontext():
        schedule = schedule_for(bench, rows, settings, cost, seed=bench.seed, stage=stage)
        fit(head, rows, loss, schedule, bench.dir / stage.name, half=is_half(base))
    return Head(head, adapter)
