"""A batch of texts that grow token by token, with their keys and values kept: what samplers and searches stand on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from operant.engine.batch import collate
from operant.models.flops import charge_forward
from operant.models.heads import score_layer
from operant.models.text import Encoded

# (module, inputs) -> (cache, [rows, ...] what is read at the last position)
Read = Callable[[Any, dict[str, Any]], tuple[Any, Tensor]]


def next_logits(module: Any, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
    """Of a language model: [rows, vocabulary] logits of the next token."""
    rows, queries = inputs["input_ids"].shape
    charge_forward(module, rows=rows, queries=queries, keys=inputs["attention_mask"].shape[1], head_rows=rows)
    out = module(**inputs, use_cache=True, logits_to_keep=1)
    return out.past_key_values, out.logits[:, -1]


def prefix_reward(head: Any, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
    """Of a reward head: [rows] reward of the text so far."""
    rows, queries = inputs["input_ids"].shape
    charge_forward(head, rows=rows, queries=queries, keys=inputs["attention_mask"].shape[1], head_rows=0)
    out = head.base_model(**inputs, use_cache=True)
    return out.past_key_values, score_layer(head)(out[0][:, -1]).squeeze(-1).float()


class State:
    """Keys and values so far, what of them is real, and what was read at the last position."""

    def __init__(self, module: Any, read: Read, cache: Any, *, attend: Tensor, position: Tensor, last: Tensor):
        self.module, self.read, self.cache = module, read, cache
        self.attend, self.position, self.last = attend, position, last

    def repeat(self, copies: int) -> None:
        """Every row `copies` times, side by side."""
        if copies > 1:
            self.cache.batch_repeat_interleave(copies)
            self.attend, self.position, self.last = (
                one.repeat_interleave(copies, 0) for one in (self.attend, self.position, self.last)
            )

    def keep(self, rows: Tensor) -> None:
        """Drop every row but these."""
        self.cache.batch_select_indices(rows)
        self.attend, self.position, self.last = self.attend[rows], self.position[rows], self.last[rows]

    def step(self, token: Tensor) -> None:
        """One token a row."""
        self.attend = torch.cat([self.attend, self.attend.new_ones(len(token), 1)], 1)
        self.position = self.position + 1
        inputs = {"input_ids": token.unsqueeze(1), "attention_mask": self.attend, "position_ids": self.position}
        self.cache, self.last = self.read(self.module, {**inputs, "past_key_values": self.cache})

    def peek(self, tokens: Tensor) -> Tensor:
        """[rows, choices, ...] what would be read after each of [rows, choices] next tokens; nothing is kept."""
        twin = State(
            self.module, self.read, copy.deepcopy(self.cache),
            attend=self.attend, position=self.position, last=self.last,
        )  # fmt: skip
        twin.repeat(tokens.shape[1])
        twin.step(tokens.flatten())
        return twin.last.unflatten(0, tokens.shape)


def start(module: Any, prompts: Sequence[tuple[int, ...]], read: Read, *, pad: int) -> State:
    """One pass over every prompt."""
    batch = collate([Encoded(ids, ()) for ids in prompts], pad=pad, device=next(module.parameters()).device)
    inputs = {"input_ids": batch.ids, "attention_mask": batch.attend, "position_ids": batch.positions}
    cache, last = read(module, inputs)
    return State(module, read, cache, attend=batch.attend, position=batch.positions[:, -1:], last=last)
