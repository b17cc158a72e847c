"""Log-probabilities of answers, and the exact KL between two models along them. The head sees answer positions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.batch import Batch, by_length, collate
from operant.models.flops import charge_forward
from operant.models.text import Encoded
from operant.ops import token_logps

TOKENS = 16_384  # padded positions of one pass without gradient
LOGITS = 2**27  # logits of one such pass: 0.5 GB in float32, whatever the vocabulary


class AnswerLogps(NamedTuple):
    logps: Tensor  # [rows, time] nats, 0 where masked
    mask: Tensor  # [rows, time] bool

    @property
    def sums(self) -> Tensor:
        """[rows] log-probability of each whole answer, nats."""
        return self.logps.sum(1)


def answer_logits(module: Any, batch: Batch, *, backward: bool = False) -> Tensor:
    """[rows, time, vocabulary] logits that predict each answer token."""
    width = batch.answer.shape[1]
    rows, length = batch.ids.shape
    charge_forward(module, rows=rows, queries=length, keys=length, head_rows=rows * (width + 1), backward=backward)
    out = module(
        input_ids=batch.ids, attention_mask=batch.attend, position_ids=batch.positions,
        use_cache=False, logits_to_keep=width + 1,
    )  # fmt: skip
    return out.logits[:, :-1]


def answer_logps(module: Any, rows: Sequence[Encoded], *, pad: int) -> AnswerLogps:
    """Differentiable log-probabilities of one batch; charged as a step of training when gradients are on."""
    batch = collate(rows, pad=pad, device=next(module.parameters()).device)
    picked = token_logps(answer_logits(module, batch, backward=torch.is_grad_enabled()), batch.answer)
    return AnswerLogps(picked.masked_fill(~batch.mask, 0.0), batch.mask)


def pass_tokens(module: Any, *, parts: int = 1) -> int:
    """Padded positions of one pass without gradient that holds `parts` times the logits of one model."""
    vocabulary = module.config.get_text_config().vocab_size
    return max(1, min(TOKENS, LOGITS // vocabulary) // parts)


@torch.no_grad()
def all_logps(module: Any, rows: Sequence[Encoded], *, pad: int) -> list[tuple[float, ...]]:
    """Log-probability of every answer token, in batches of similar length, in the order given."""
    found: list[tuple[float, ...]] = [()] * len(rows)
    for group in by_length(rows, size=_size, tokens=pass_tokens(module)):
        logps, mask = answer_logps(module, [rows[index] for index in group], pad=pad)
        for row, index in enumerate(group):
            found[index] = tuple(logps[row][mask[row]].tolist())
    return found


@torch.no_grad()
def all_kls(module: Any, other: Any, rows: Sequence[Encoded], *, pad: int) -> list[float]:
    """Sum over answer positions of KL(module || other), nats per answer.

    Averaged over answers sampled from `module` this is an unbiased estimate of the KL between the two distributions of
    answers, with less variance than the log-ratio itself.
    """
    found = [0.0] * len(rows)
    for group in by_length(rows, size=_size, tokens=pass_tokens(module, parts=4)):
        batch = collate([rows[index] for index in group], pad=pad, device=next(module.parameters()).device)
        ours = answer_logits(module, batch).float().log_softmax(-1)
        theirs = answer_logits(other, batch).float().log_softmax(-1)
        kl = (ours.exp() * (ours - theirs)).sum(-1).masked_fill(~batch.mask, 0.0).sum(1)
        for index, value in zip(group, kl.tolist(), strict=True):
            found[index] = value
    return found


def _size(row: Encoded) -> int:
    return len(row.prompt) + len(row.answer) + 1
