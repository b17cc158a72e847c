"""Batched scores of a reward head, in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from operant.engine.batch import by_length
from operant.meter import charge
from operant.models.flops import backward_factor, charge_forward, forward_flops
from operant.models.heads import reward_ids, scores
from operant.models.text import Encoded

TOKENS = 16_384


def reward_scores(head: Any, tokenizer: Any, rows: Sequence[Encoded]) -> Tensor:
    """[rows] differentiable rewards of one batch; charged as a step of training when gradients are on."""
    sequences = [reward_ids(tokenizer, row) for row in rows]
    longest = max(map(len, sequences))
    charge_forward(head, rows=len(rows), queries=longest, keys=longest, head_rows=0, backward=torch.is_grad_enabled())
    return scores(head, sequences, pad=tokenizer.pad_token_id)


def reward_flops(head: Any, tokenizer: Any, rows: Sequence[Encoded]) -> float:
    """What `reward_scores` costs in training: forward and backward."""
    longest = max(len(reward_ids(tokenizer, row)) for row in rows)
    forward = forward_flops(head, rows=len(rows), queries=longest, keys=longest, head_rows=0)
    return forward * (1 + backward_factor(head))


@torch.no_grad()
def all_rewards(head: Any, tokenizer: Any, rows: Sequence[Encoded]) -> list[float]:
    """The reward of every row, in batches of similar length."""
    charge(reward_calls=len(rows))
    found = [0.0] * len(rows)
    for group in by_length(rows, size=lambda row: len(row.prompt) + len(row.answer), tokens=TOKENS):
        for index, value in zip(group, reward_scores(head, tokenizer, [rows[i] for i in group]).tolist(), strict=True):
            found[index] = value
    return found
