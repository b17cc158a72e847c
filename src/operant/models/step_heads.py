"""A process reward model: a causal model's body with a score for every token, an AutoModelForTokenClassification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTokenClassification

from operant.errors import OperantError
from operant.models.causal import body_of, load_whole
from operant.models.heads import score_layer


def new_step_head(module: Any, tokenizer: Any, *, rng: torch.Generator) -> Any:
    """A token classifier with one label on a copy of `module`'s body; the head starts small and random."""
    config = type(module.config).from_dict(module.config.to_dict())
    config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
    try:
        with torch.random.fork_rng(devices=[]):  # transformers initialises from the global generator
            head = AutoModelForTokenClassification.from_config(config)
    except ValueError:
        raise OperantError(
            f"{type(module).__name__} has no token classifier in transformers; it cannot carry a process reward model"
        ) from None
    body = {name: value.clone() for name, value in body_of(module).state_dict().items()}
    body_of(head).load_state_dict(body)
    with torch.no_grad():
        layer = score_layer(head)
        layer.weight.normal_(0.0, 1.0 / (layer.weight.shape[1] + 1) ** 0.5, generator=rng)
        if layer.bias is not None:
            layer.bias.zero_()
    return head.to(dtype=next(module.parameters()).dtype).eval()


def load_step_head(directory: str | Path) -> Any:
    """A saved process reward model, from safetensors only: one label, or two of which the second is right."""
    head = load_whole(AutoModelForTokenClassification, directory, dtype=torch.float32)
    if head.config.num_labels not in (1, 2):
        raise OperantError(
            f"{directory} has {head.config.num_labels} labels a token; a process reward model has 1 or 2"
        )
    return head.eval()
