"""Token ids to tensors: prompts padded on the left, answers on the right, so every answer starts in one column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from operant.models.text import Encoded

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    ids: Tensor  # [rows, prompt + answer]
    attend: Tensor  # same shape, 1 where real
    positions: Tensor  # same shape, counted from each row's first real token
    answer: Tensor  # [rows, answer] target ids
    mask: Tensor  # [rows, answer] bool, True at answer tokens


def collate(rows: Sequence[Encoded], *, pad: int, device: Any) -> Batch:
    """Pad a list of prompts with answers; an answer may be empty (for sampling)."""
    before, after = max(len(row.prompt) for row in rows), max(len(row.answer) for row in rows)
    ids = torch.full((len(rows), before + after), pad)
    attend = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        start, end = before - len(row.prompt), before + len(row.answer)
        ids[index, start:end] = torch.tensor(row.prompt + row.answer)
        attend[index, start:end] = 1
    positions = (attend.cumsum(1) - 1).clamp(min=0)
    mask = attend[:, before:].bool()
    return Batch(
        ids=ids.to(device), attend=attend.to(device), positions=positions.to(device),
        answer=ids[:, before:].to(device), mask=mask.to(device),
    )  # fmt: skip


def by_length(rows: Sequence[T], *, size: Callable[[T], int], tokens: int) -> Iterator[list[int]]:
    """Indices in groups of similar length, each of at most `tokens` padded positions (or one row)."""
    group: list[int] = []
    longest = 0
    for index in sorted(range(len(rows)), key=lambda index: size(rows[index])):
        longest = max(longest, size(rows[index]))
        if group and longest * (len(group) + 1) > tokens:
            yield group
            group, longest = [], size(rows[index])
        group.append(index)
    if group:
        yield group
