"""A sentence encoder of Hugging Face: texts as vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModel, AutoTokenizer

BATCH = 32
Pooling = Literal["first", "mean"]


class SentenceEncoder:
    """The first token's last state (as BGE has it), or the mean over tokens. Longer texts are cut at `max_length`."""

    def __init__(self, source: str | Path, *, pooling: Pooling = "first", max_length: int = 512):
        self.module = AutoModel.from_pretrained(source).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.pooling, self.max_length = pooling, max_length

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """[texts, width]."""
        found = []
        for start in range(0, len(texts), BATCH):
            read = self.tokenizer(
                list(texts[start : start + BATCH]), padding=True, truncation=True, max_length=self.max_length,
                return_tensors="pt",
            )  # fmt: skip
            states = self.module(**read).last_hidden_state.float()
            mask = read["attention_mask"].unsqueeze(-1)
            pooled = states[:, 0] if self.pooling == "first" else (states * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(pooled, dim=-1))
        return torch.cat(found)
