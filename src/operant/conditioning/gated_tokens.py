"""Tokens that are attended to together with what a net already has, behind a gate that starts closed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from operant.conditioning.gated_parallel import Attention, xavier
from operant.models.denoiser import Grounded

States = Float[Tensor, "rows places width"]


class GatedTokenAttention(nn.Module):
    """x + scale * tanh(g1) * SelfAttention(LN([x; W tokens])), of x's places; then the same with a gated feed-forward.

    Both gates are 0 at first, so the net is what it was; W is not, or nothing would ever be learnt.

    Source: GLIGEN, Li et al. 2023, arXiv:2301.07093, eq. 8, whose released code adds the feed-forward.
    """

    def __init__(self, width: int, channels: int, heads: int, *, rng: torch.Generator):
        super().__init__()
        self.project = xavier(channels, width, rng=rng)
        self.attention = Attention(width, heads, rng=rng)
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inner, self.outer = xavier(width, 8 * width, rng=rng), xavier(4 * width, width, rng=rng)
        self.gate_attention, self.gate_feed = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, states: States, heard: Grounded) -> States:
        joined = self.norm(torch.cat([states, self.project(heard.tokens)], dim=1))
        everything = torch.ones(len(joined), 1, joined.shape[1], dtype=torch.bool, device=joined.device)
        found = self.attention(joined[:, : states.shape[1]], self.attention.read(joined), everything)
        states = states + heard.scale * self.gate_attention.tanh() * found
        return states + heard.scale * self.gate_feed.tanh() * self._feed(self.after(states))

    def _feed(self, states: States) -> States:
        values, gates = self.inner(states).chunk(2, dim=-1)
        return self.outer(values * F.gelu(gates))

    @property
    def gates(self) -> tuple[float, float]:
        """tanh of both gates: how far they have opened, of attention and feed-forward."""
        return float(self.gate_attention.tanh().detach()), float(self.gate_feed.tanh().detach())
