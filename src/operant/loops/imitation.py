"""Answers to imitate as a loss that training takes: every token of a batch weighs the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from operant.engine.logps import AnswerLogps, item_values
from operant.models.text import Encoded
from operant.objectives.likelihood import answer_nll_batch_mean


def imitating_loss(*, pad: int) -> Callable[[Any, Sequence[Encoded], Sequence[Encoded]], Tensor]:
    """(module, part, whole batch) -> [answers] whose mean over the batch is its negative log-likelihood per token."""

    def loss(module: Any, part: Sequence[Encoded], whole: Sequence[Encoded]) -> Tensor:
        tokens, count = sum(len(row.answer) for row in whole), len(whole)

        def of(_: Sequence[int], found: AnswerLogps) -> Tensor:
            return answer_nll_batch_mean(*found, batch_tokens=tokens, batch_examples=count)

        return item_values(module, [[row] for row in part], of, pad=pad)

    return loss
