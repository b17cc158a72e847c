"""Per-token terms of token-level objectives: log-ratio, full-vocabulary KL, hidden states of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.batch import Batch, collate
from operant.engine.logps import answer_logits
from operant.models.flops import charge_forward, forward_flops
from operant.models.text import Encoded


class TokenTerms(NamedTuple):
    """Of every answer token; 0 where masked. Gradients flow through the first two."""

    ratio: Tensor  # [rows, time] log pi(y_t) - log ref(y_t), nats
    kl: Tensor  # [rows, time] -KL(ref || pi) at the position that predicts y_t, nats, <= 0
    mask: Tensor  # [rows, time] bool
    hidden: tuple[Tensor, ...]  # per layer, [rows, time, width]: the reference's state that predicts y_t
    reference: Tensor  # [rows, time, vocabulary] the reference's logits there


def token_terms(module: Any, reference: Any, rows: Sequence[Encoded], *, pad: int) -> TokenTerms:
    """Both models over one batch; the reference without gradient."""
    batch = collate(rows, pad=pad, device=next(module.parameters()).device)
    hidden, logits = _reference(reference, batch)
    theirs = logits.float().log_softmax(-1)
    ours = answer_logits(module, batch, backward=torch.is_grad_enabled()).float().log_softmax(-1)
    kl = (theirs.exp() * (ours - theirs)).sum(-1)
    picked = [one.gather(-1, batch.answer.unsqueeze(-1)).squeeze(-1) for one in (ours, theirs)]
    ratio = (picked[0] - picked[1]).masked_fill(~batch.mask, 0.0)
    return TokenTerms(ratio, kl.masked_fill(~batch.mask, 0.0), batch.mask, hidden, logits)


@torch.no_grad()
def _reference(module: Any, batch: Batch) -> tuple[tuple[Tensor, ...], Tensor]:
    """Hidden states of every layer but the embeddings, and logits, where they predict an answer token."""
    width = batch.answer.shape[1]
    rows, length = batch.ids.shape
    charge_forward(module, rows=rows, queries=length, keys=length, head_rows=rows * (width + 1))
    out = module(
        input_ids=batch.ids, attention_mask=batch.attend, position_ids=batch.positions, use_cache=False,
        logits_to_keep=width + 1, output_hidden_states=True,
    )  # fmt: skip
    hidden = tuple(layer[:, -width - 1 : -1].float() for layer in out.hidden_states[1:])
    return hidden, out.logits[:, :-1]


def forward_cost(module: Any, rows: Sequence[Encoded]) -> float:
    """FLOPs of one forward pass over a batch, padded to its own longest prompt and answer."""
    before, after = max(len(row.prompt) for row in rows), max(len(row.answer) for row in rows)
    length = before + after
    return forward_flops(module, rows=len(rows), queries=length, keys=length, head_rows=len(rows) * (after + 1))
