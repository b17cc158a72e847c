"""A process reward model: a causal model's body with a score for every token, an AutoModelForTokenClassification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTokenClassification

from operant.errors import OperantError
from operant.models.causal import load_whole
from operant.models.heads import classifier_on


def new_step_head(module: Any, tokenizer: Any, *, rng: torch.Generator) -> Any:
    """A token classifier with one label on a copy of `module`'s body; the head starts small and random."""
    refused = "no token classifier in transformers; it cannot carry a process reward model"
    return classifier_on(AutoModelForTokenClassification, module, tokenizer, rng=rng, refused=refused)


def load_step_head(directory: str | Path) -> Any:
    """A saved process reward model, from safetensors only: one label, or two of which the second is right."""
    head = load_whole(AutoModelForTokenClassification, directory, dtype=torch.float32)
    if head.config.num_labels not in (1, 2):
        raise OperantError(
            f"{directory} has {head.config.num_labels} labels a token; a process reward model has 1 or 2"
        )
    return head.eval()
