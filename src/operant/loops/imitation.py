"""Cross-entropy on the answers of rows, as training calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from operant.engine.logps import AnswerLogps, item_values
from operant.models.text import Encoded
from operant.objectives.likelihood import answer_nll_batch_mean


def imitating_loss(*, pad: int) -> Callable[[Any, Sequence[Encoded], Sequence[Encoded]], Tensor]:
    """[rows] whose mean over a batch is the mean over all its answers' tokens, so that no answer counts twice."""

    def loss(module: Any, part: Sequence[Encoded], whole: Sequence[Encoded]) -> Tensor:
        tokens = sum(len(row.answer) for row in whole)

        def of(_: Sequence[int], found: AnswerLogps) -> Tensor:
            return answer_nll_batch_mean(*found, batch_tokens=tokens, batch_examples=len(whole))

        return item_values(module, [[row] for row in part], of, pad=pad)

    return loss
