"""Two attentions side by side, to what was written so far and to a condition, the second behind a gate.

The gate and the positions are arguments: a hard mask opens the condition where the caller says so, a sigmoid of the
caller's own makes it a learnt one. A module of torch, for any decoder.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

States = Float[Tensor, "rows queries width"]


class Keys(NamedTuple):
    """What queries meet: [rows, heads, keys, width of a head] each."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Scaled dot products over several heads; weights Xavier-uniform from `rng`, biases 0."""

    def __init__(self, width: int, heads: int, *, rng: torch.Generator):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (xavier(width, width, rng=rng) for _ in range(4))

    def read(self, source: Float[Tensor, "rows keys width"]) -> Keys:
        """Keys and values of a source; kept, they need not be computed again."""
        return Keys(self._split(self.key(source)), self._split(self.value(source)))

    def forward(self, queries: States, met: Keys, mask: Bool[Tensor, "rows _ keys"]) -> States:
        """Args: mask: True where a query may look."""
        found = F.scaled_dot_product_attention(self._split(self.query(queries)), *met, attn_mask=mask[:, None])
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def xavier(inputs: int, outputs: int, *, rng: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    bound = math.sqrt(6 / (inputs + outputs))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=rng)
        layer.bias.zero_()
    return layer


class GatedParallelAttention(nn.Module):
    """(S + gate * C) / 2, S the attention to what was written and C to the condition.

    `exclusive`: S is multiplied with 1 - gate, so that where the gate is open the condition alone is heard. The divisor
    stays 2 where a branch is closed: that is part of the scale that was trained.

    Source: Theme Transformer, Shih et al. 2022, arXiv:2111.04093, sec. 4.2, and its released code.
    """

    def __init__(self, own: nn.Module, cross: nn.Module, *, exclusive: bool):
        super().__init__()
        self.own, self.cross, self.exclusive = own, cross, exclusive

    def forward(
        self, written: Callable[[nn.Module], States], condition: Callable[[nn.Module], States],
        gate: Float[Tensor, "rows queries"],
    ) -> States:  # fmt: skip
        """What is added to the residual stream.

        Args:
            written, condition: call the attention that they are given, with positions, keys and masks of their own.
            gate: 0 to 1 for each query.
        """
        open_ = gate[..., None]
        own, cross = written(self.own), open_ * condition(self.cross)
        return ((1 - open_) * own + cross) / 2 if self.exclusive else (own + cross) / 2


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Positions as sines and cosines of growing wavelength (Vaswani et al. 2017, sec. 3.5)."""
    places = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return torch.stack([places.sin(), places.cos()], dim=-1).flatten(1)[:, :width]
