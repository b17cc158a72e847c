"""Hidden states where answers are predicted: from packed rows where a model can read them, else from padded ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from operant.engine.attention import attending
from operant.engine.check import bucket, holds, random_ids
from operant.engine.layout import Layout, packed, padded
from operant.models.text import Encoded


def laid_out(module: Any, rows: Sequence[Encoded], *, pad: int, last: bool = False) -> Layout:
    """Rows as this module can read them."""
    device = next(module.parameters()).device
    if can_pack(module, longest=max(len(row.prompt) + len(row.answer) for row in rows)):
        return packed(rows, device=device, last=last)
    return padded(rows, pad=pad, device=device)


def states(module: Any, layout: Layout, **more: Any) -> Any:
    """What the body of a model returns for a layout, [rows, length, width] hidden states first."""
    inputs = {"input_ids": layout.ids, "position_ids": layout.positions, "use_cache": False, **more}
    if layout.attend is not None:
        return module.base_model(**inputs, attention_mask=layout.attend)
    with attending(module):
        return module.base_model(**inputs, attention_mask=None, documents=layout.documents)


def predicting(module: Any, layout: Layout) -> Tensor:
    """[answer tokens, width] hidden states that predict the answers' tokens, row by row."""
    return states(module, layout)[0].flatten(0, 1)[layout.predict]


def can_pack(module: Any, *, longest: int) -> bool:
    """Whether packed rows of up to `longest` tokens give this module's own hidden states.

    Tried on rows at least as long: a window or a chunk shows only in what is longer.
    """
    length = bucket(module, longest)
    device = next(module.parameters()).device

    def trial() -> tuple[Tensor, Tensor]:
        rows = _random_rows(module, length)
        alone = [predicting(module, padded([row], pad=0, device=device)) for row in rows]
        return predicting(module, packed(rows, device=device)), torch.cat(alone)

    return holds(module, ("packed", length), trial, otherwise="reads padded rows, not packed ones, which is slower")


def _random_rows(module: Any, length: int) -> list[Encoded]:
    """Two prompts, a long and a short one, with answers up to `length` tokens in all."""
    long, short = random_ids(module, length // 2, seed=0), random_ids(module, 3, seed=1)
    answers = [(long, length - length // 2), (short, 5), (long, length // 3), (short, length - 3), (long, 1)]
    return [Encoded(prompt, random_ids(module, count, seed=2 + place)) for place, (prompt, count) in enumerate(answers)]
