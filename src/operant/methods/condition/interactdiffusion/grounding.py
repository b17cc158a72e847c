"""Gated layers for a frozen denoiser and the tokens they hear, as one module: what is trained, saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from operant.conditioning.gated_tokens import GatedTokenAttention
from operant.loops.denoising import Draw, denoising_losses
from operant.meter import charge
from operant.methods.condition.interactdiffusion.tokens import Interactions, InteractionTokens, Region, checked
from operant.models.denoiser import Condition, Denoiser, blocks
from operant.training.track import note


class Shape(NamedTuple):
    """Sizes of the added module."""

    words: int  # width of an embedded phrase
    channels: int
    hidden: int
    most: int  # interactions in a picture
    region: Region
    instances: bool


class Grounding(nn.Module):
    """A gated layer for every block of `denoiser`, which is not changed, and the tokeniser of interactions.

    `with_layers` of the denoiser takes `layers`; `operant.models.denoiser.attached` puts them into a pipeline's net.
    """

    def __init__(self, denoiser: Denoiser, shape: Shape, *, seed: int):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        words, channels, hidden, most, region, instances = shape
        self.tokens = InteractionTokens(
            words, channels, hidden=hidden, most=most, region=region, instances=instances, rng=rng
        )
        self.layers = nn.ModuleList(
            GatedTokenAttention(block.attn1.to_q.in_features, channels, block.attn1.heads, rng=rng)
            for block in blocks(denoiser.net)
        )
        self.denoiser = (denoiser.with_layers(list(self.layers)),)  # a tuple, so that its weights are not this module's

    def forward(self, given: Interactions) -> Float[Tensor, "rows tokens channels"]:
        """The tokens of interactions, which are refused where they make no sense; metered."""
        checked(given, most=self.tokens.most, words=self.tokens.words)
        charge(forward_flops=self.tokens.flops * len(given.mask))
        return self.tokens(given)

    @property
    def grounded(self) -> Denoiser:
        """The denoiser with these layers."""
        return self.denoiser[0]


class Row(NamedTuple):
    """A picture to learn from, or its latents: [channels, high, wide]; the rest has one row."""

    clean: Tensor
    condition: Condition
    interactions: Interactions


class Dropping(NamedTuple):
    """How often a row is learnt from without its caption, without its interactions, and from left to right turned."""

    caption: float
    tokens: float
    flip: float


def grounding_losses(
    grounding: Grounding, part: Sequence[Draw], empty: Condition, dropping: Dropping
) -> Float[Tensor, " rows"]:
    """Squared error of the denoiser on each row, under conditions of which some are dropped, row by row.

    Args: empty: what a caption becomes where it is dropped, one row.
    """
    rows = [turned(one, empty, dropping) for one in part]
    tokens = grounding(joined([row.interactions for row in rows]))
    charge(backward_flops=2 * grounding.tokens.flops * len(rows))
    condition = Condition(
        torch.cat([row.condition.context for row in rows]), torch.cat([row.condition.mask for row in rows]), tokens
    )
    clean = torch.stack([row.clean for row in rows])
    for place, layer in enumerate(grounding.layers):
        attention, feed = layer.gates
        note({f"gate/{place}/attention": torch.tensor([attention]), f"gate/{place}/feed": torch.tensor([feed])})
    return denoising_losses(grounding.grounded, clean, condition, [one.seed for one in part])


def turned(draw: Draw, empty: Condition, dropping: Dropping) -> Row:
    """A row as it is learnt from this time."""
    rng, row = Random(draw.seed), draw.item
    caption, tokens, flip = (rng.random() < chance for chance in dropping)
    condition = empty if caption else row.condition
    given = row.interactions.none() if tokens else row.interactions
    if flip:
        return Row(row.clean.flip(-1), condition, given.flipped())
    return Row(row.clean, condition, given)


def joined(many: Sequence[Interactions]) -> Interactions:
    """The rows of all, padded to as many slots."""
    slots = max(one.mask.shape[1] for one in many)
    parts: Any = zip(*(one.padded(slots) for one in many), strict=True)
    return Interactions(*(torch.cat(part) for part in parts))
