"""Log-probabilities of answers and the hidden states that they were predicted from, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine import output
from operant.engine.body import charge_read, laid_out, predicting
from operant.models.text import Encoded


class AnswerStates(NamedTuple):
    logps: Tensor  # [rows, time] nats, 0 where masked
    hidden: Tensor  # [rows, time, width] of the text before each token
    mask: Tensor  # [rows, time] bool


def answer_states(module: Any, rows: Sequence[Encoded], *, pad: int) -> AnswerStates:
    """Differentiable, both; charged as a step of training when gradients are on."""
    layout = laid_out(module, rows, pad=pad)
    charge_read(module, layout.size, backward=torch.is_grad_enabled(), again=True)
    states = predicting(module, layout)
    logps, mask = layout.table(output.target_logps(module, states, layout.targets))
    return AnswerStates(logps, layout.table(states)[0], mask)
