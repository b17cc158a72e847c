"""One number for every answer token, from a body with a linear score layer: token rewards, a critic's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.body import charge_read, laid_out, predicting, size_of, step_flops
from operant.models.heads import score_layer
from operant.models.text import Encoded


class TokenScores(NamedTuple):
    scores: Tensor  # [rows, time] 0 where masked
    mask: Tensor  # [rows, time] bool


def token_scores(head: Any, rows: Sequence[Encoded], *, pad: int) -> TokenScores:
    """Differentiable scores, each read where its token is predicted, so before the token itself was seen."""
    layout = laid_out(head, rows, pad=pad)
    charge_read(head, layout.size._replace(scored=0), backward=torch.is_grad_enabled())
    each = score_layer(head)(predicting(head, layout)).squeeze(-1).float()
    return TokenScores(*layout.table(each))


def token_score_flops(head: Any, rows: Sequence[Encoded]) -> float:
    """What `token_scores` costs in training: forward and backward."""
    return step_flops(head, size_of(head, rows)._replace(scored=0))
