"""New tokens for a model that is already trained: a longer tokenizer, and embeddings for what was added."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import AddedToken

from operant.errors import OperantError
from operant.models.causal import copy_module
from operant.models.small import Small


def grown(module: Any, tokenizer: Any, tokens: Sequence[str]) -> Small:
    """Copies of both that know `tokens` as special ones: never split, never part of an answer's text.

    A new token's embeddings, on the way in and on the way out, are the mean of those there were. Other ids and their
    embeddings stay, so with the new tokens banned the copy answers exactly as the original. Tied weights stay tied.
    """
    known = sorted(set(tokens) & tokenizer.get_vocab().keys())
    if known:
        raise OperantError(f"the tokenizer has {known[0]!r} already; name the new token otherwise")
    words, twin = copy.deepcopy(tokenizer), copy_module(module)
    old = len(words)
    words.add_tokens([AddedToken(token, special=True, normalized=False) for token in tokens], special_tokens=True)
    if len(words) > twin.get_input_embeddings().weight.shape[0]:
        with torch.random.fork_rng(devices=[]):  # rows that are written over below
            twin.resize_token_embeddings(len(words), mean_resizing=False)
    for layer in (twin.get_input_embeddings(), twin.get_output_embeddings()):
        _mean(layer, old, len(words))
    return Small(twin.eval(), words)


@torch.no_grad()
def _mean(layer: Any, old: int, new: int) -> None:
    """Rows old..new become the mean of the rows before them."""
    for weight in (getattr(layer, "weight", None), getattr(layer, "bias", None)):
        if weight is not None:
            weight[old:new] = weight[:old].float().mean(0).to(weight)
