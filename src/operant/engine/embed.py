"""A text as one vector: the mean of a frozen model's hidden states, later tokens counting more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from operant.engine.batch import by_length
from operant.engine.body import TOKENS, charge_read, states
from operant.engine.layout import padded, padded_size
from operant.errors import require
from operant.models.text import Encoded


@torch.no_grad()
def embeddings(module: Any, tokenizer: Any, rows: Sequence[Encoded], *, layer: int = -1) -> Tensor:
    """[rows, width] sum over tokens t of t * state_t, over the sum of t, t counted from 1; prompt and answer together.

    `layer`: whose states, -1 the last, 0 the embeddings of the tokens themselves; BadValue where there is none such.
    Charged as passes without gradient and without the output layer. Source: the weights by position are those of
    Muennighoff 2022 (SGPT), arXiv:2202.08904, sec. 3.1.
    """
    found: dict[int, Tensor] = {}
    device = next(module.parameters()).device
    for group in by_length(rows, size=lambda row: len(row.prompt) + len(row.answer), tokens=TOKENS):
        part = [rows[place] for place in group]
        layout = padded(part, pad=tokenizer.pad_token_id, device=device)
        charge_read(module, padded_size(part)._replace(scored=0))
        assert layout.attend is not None
        weight = ((layout.positions + 1) * layout.attend).float().unsqueeze(-1)
        means = (_layer(states(module, layout, output_hidden_states=True).hidden_states, layer) * weight).sum(
            1
        ) / weight.sum(1)
        found |= dict(zip(group, means.cpu(), strict=True))
    return torch.stack([found[place] for place in range(len(rows))])


def _layer(hidden: Sequence[Tensor], layer: int) -> Tensor:
    require(-len(hidden) <= layer < len(hidden), "layer", layer, f"one of {-len(hidden)} to {len(hidden) - 1}")
    return hidden[layer].float()
