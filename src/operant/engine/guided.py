"""Log-probabilities and KL of a mixture of models, along given answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.batch import by_length, collate
from operant.engine.logps import answer_logits, pass_tokens
from operant.engine.mix import Part, mixed
from operant.models.text import Encoded


class _Group(NamedTuple):
    places: list[int]  # of the rows in the order given
    logps: Tensor  # [rows, time, vocabulary] of the mixture
    answer: Tensor  # [rows, time]
    mask: Tensor  # [rows, time]


@torch.no_grad()
def mixed_logps(parts: Sequence[Part], rows: Sequence[Sequence[Encoded]], *, pad: int) -> list[tuple[float, ...]]:
    """Log-probability of every answer token under the mixture, nats. `rows`: for each part, its own encodings."""
    found: list[tuple[float, ...]] = [()] * len(rows[0])
    for group in _groups(parts, rows, pad=pad):
        picked = group.logps.gather(-1, group.answer.unsqueeze(-1)).squeeze(-1)
        for row, place in enumerate(group.places):
            found[place] = tuple(picked[row][group.mask[row]].tolist())
    return found


@torch.no_grad()
def mixed_kls(
    parts: Sequence[Part], rows: Sequence[Sequence[Encoded]], base: Any, base_rows: Sequence[Encoded], *, pad: int
) -> list[float]:
    """Sum over answer positions of KL(mixture || base), nats per answer; unbiased over sampled answers."""
    found = [0.0] * len(base_rows)
    for group in _groups(parts, rows, pad=pad):
        batch = collate([base_rows[place] for place in group.places], pad=pad, device=group.logps.device)
        theirs = answer_logits(base, batch).float().log_softmax(-1)
        size = min(group.logps.shape[-1], theirs.shape[-1])
        ours, theirs = group.logps[..., :size], theirs[..., :size]
        ratio = torch.where(ours.isinf(), torch.zeros_like(ours), ours - theirs)
        kl = (ours.exp() * ratio).sum(-1).masked_fill(~group.mask, 0.0).sum(1)
        for place, value in zip(group.places, kl.tolist(), strict=True):
            found[place] = value
    return found


def _groups(parts: Sequence[Part], rows: Sequence[Sequence[Encoded]], *, pad: int) -> Iterator[_Group]:
    tokens = pass_tokens(parts[0].module, parts=4)
    for places in by_length(rows[0], size=lambda row: len(row.prompt) + len(row.answer) + 1, tokens=tokens):
        logits = []
        for part, own in zip(parts, rows, strict=True):
            batch = collate([own[place] for place in places], pad=pad, device=next(part.module.parameters()).device)
            logits.append(answer_logits(part.module, batch))
        yield _Group(places, mixed(logits, parts).float().log_softmax(-1), batch.answer, batch.mask)
