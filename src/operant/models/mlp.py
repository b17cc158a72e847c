"""Small nets over vectors, for agents and for what learns beside them; their FLOPs are metered here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from operant.meter import charge


def mlp(sizes: Sequence[int], *, rng: torch.Generator) -> nn.Sequential:
    """Linear layers with ReLU between them; weights as `nn.Linear` draws them, from `rng`.

    Args: sizes: of the input, of every hidden layer, of the output.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layer, bound = nn.Linear(inputs, outputs), 1 / math.sqrt(inputs)
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=rng)
            layer.bias.uniform_(-bound, bound, generator=rng)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def charge_pass(net: nn.Module, rows: Tensor, *, backward: bool = False) -> None:
    """Meter one pass of the net over rows [..., size]; with `backward` the backward pass too, at twice the forward."""
    count = rows.numel() // rows.shape[-1]
    forward = 2.0 * sum(weight.numel() for weight in net.parameters()) * count
    charge(forward_flops=forward, forward_tokens=count)
    if backward:
        charge(backward_flops=2 * forward, backward_tokens=count)
