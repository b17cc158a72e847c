"""Guides inside `transformers.generate`: a LogitsProcessor, so that they compose with other controls."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, LogitsProcessor

from operant.engine.mix import Part, mixed
from operant.errors import OperantError


class GuidedLogits(LogitsProcessor):
    """Adds weight x log softmax of a guide to the base's log-probabilities, keeping the guide's keys and values.

    For one call of `generate` without beams: `model.generate(**inputs, logits_processor=[GuidedLogits(guide, weight,
    attention_mask=inputs["attention_mask"])])`. Truncation (top-p, top-k) belongs behind it, after the mixing.
    """

    def __init__(self, guide: Any, weight: float, *, attention_mask: Tensor):
        self.guide, self.weight, self.attend = guide, weight, attention_mask
        self.cache, self.read = DynamicCache(config=guide.config), 0

    @torch.no_grad()
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """[rows, vocabulary] unnormalised log-probabilities of the mixture."""
        rows, length = input_ids.shape
        if rows != len(self.attend) or length <= self.read:
            raise OperantError(
                f"the guide has read {self.read} tokens of {len(self.attend)} rows and is asked about {length} of "
                f"{rows}; make a new GuidedLogits for every call of generate, without beams"
            )
        grown = self.attend.new_ones(rows, length - self.attend.shape[1])
        self.attend = torch.cat([self.attend, grown], 1)
        positions = (self.attend.cumsum(1) - 1).clamp(min=0)
        out = self.guide(
            input_ids=input_ids[:, self.read :], attention_mask=self.attend, position_ids=positions[:, self.read :],
            past_key_values=self.cache, use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        self.read = length
        return mixed([scores, out.logits[:, -1]], [Part(None), Part(None, self.weight)])
