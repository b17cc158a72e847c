"""A reward head with several outputs, for as long as it is trained; it is stored with its first one alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from operant.models.heads import score_layer


def widen(head: Any, outputs: int, *, rng: torch.Generator) -> None:
    """Outputs beside the reward, each a row of the score layer; they start small and random, the reward as it was."""
    for layer in _linear(head):
        more = torch.empty(outputs - layer.out_features, layer.in_features, dtype=layer.weight.dtype)
        more.normal_(0.0, 1.0 / (layer.in_features + 1) ** 0.5, generator=rng)
        rows = torch.cat([layer.weight.data, more.to(layer.weight.device)])
        layer.weight, layer.out_features = nn.Parameter(rows, layer.weight.requires_grad), outputs
        if layer.bias is not None:
            grown = torch.cat([layer.bias.data, layer.bias.data.new_zeros(len(more))])
            layer.bias = nn.Parameter(grown, layer.bias.requires_grad)


def narrow(head: Any) -> None:
    """The reward alone: what other outputs learnt stays in the body, and in nothing that is read."""
    for layer in _linear(head):
        layer.weight = nn.Parameter(layer.weight.data[:1].clone(), layer.weight.requires_grad)
        layer.out_features = 1
        if layer.bias is not None:
            layer.bias = nn.Parameter(layer.bias.data[:1].clone(), layer.bias.requires_grad)


def narrow_states(head: Any, paths: Iterable[Path]) -> None:
    """The same for weights of this head that stand on disk."""
    layers = _linear(head)
    names = {f"{name}.{kind}" for name, part in head.named_modules() if part in layers for kind in ("weight", "bias")}
    for path in paths:
        stored = {name: value[:1].clone() if name in names else value for name, value in load_file(path).items()}
        save_file(stored, path)


def _linear(head: Any) -> list[Any]:
    """The score layer; where peft keeps one that is trained beside the one that came, both."""
    return [part for part in score_layer(head).modules() if isinstance(part, nn.Linear)]
