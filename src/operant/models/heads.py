"""A reward model: a causal model's body with one score per answer, stored as AutoModelForSequenceClassification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from operant.errors import OperantError
from operant.models.causal import body_of, load_whole
from operant.models.text import Encoded


def new_reward_head(module: Any, tokenizer: Any, *, rng: torch.Generator) -> Any:
    """A sequence classifier with one label on a copy of `module`'s body; the head starts small and random."""
    refused = "no sequence classifier in transformers; it cannot carry a reward head"
    return classifier_on(AutoModelForSequenceClassification, module, tokenizer, rng=rng, refused=refused)


def classifier_on(kind: Any, module: Any, tokenizer: Any, *, rng: torch.Generator, refused: str) -> Any:
    """A classifier of transformers' `kind` with one label on a copy of `module`'s body.

    Args: refused: what a model has that this kind does not know, for the error.
    """
    config = type(module.config).from_dict(module.config.to_dict())
    config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
    try:
        with torch.random.fork_rng(devices=[]):  # transformers initialises from the global generator
            head = kind.from_config(config)
    except ValueError:
        raise OperantError(f"{type(module).__name__} has {refused}") from None
    body = {name: value.clone() for name, value in body_of(module).state_dict().items()}
    body_of(head).load_state_dict(body)
    with torch.no_grad():
        layer = score_layer(head)
        layer.weight.normal_(0.0, 1.0 / (layer.weight.shape[1] + 1) ** 0.5, generator=rng)
        if layer.bias is not None:
            layer.bias.zero_()
    return head.to(dtype=next(module.parameters()).dtype).eval()


def load_reward_head(directory: Path) -> Any:
    """A saved reward model, from safetensors only."""
    head = load_whole(AutoModelForSequenceClassification, directory, dtype=torch.float32)
    if head.config.num_labels != 1:
        raise OperantError(f"{directory} is a classifier with {head.config.num_labels} labels; a reward model has one")
    return head.eval()


def score_layer(head: Any) -> Any:
    """The linear layer that turns a hidden state into a reward."""
    for name in ("score", "classifier"):
        if hasattr(head, name):
            return getattr(head, name)
    raise OperantError(f"{type(head).__name__} has no linear score layer; this architecture cannot carry a reward head")


def scored_part(tokenizer: Any, encoded: Encoded) -> Encoded:
    """What is scored: prompt, then answer without its closing EOS.

    A causal model has never read anything after EOS, so its state there says little; and where EOS is also the padding
    token, plain transformers reads the score before it. Without it both find the same place.
    """
    ids, start = encoded.prompt + encoded.answer, len(encoded.prompt)
    while len(ids) > 1 and ids[-1] in (tokenizer.eos_token_id, tokenizer.pad_token_id):
        ids = ids[:-1]
    return Encoded(ids[:start], ids[start:])
