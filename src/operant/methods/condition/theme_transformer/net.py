"""The network: an encoder reads the theme, a decoder writes the piece and hears the theme where the gate is open."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from operant.conditioning.gated_parallel import Attention, GatedParallelAttention, Keys, sinusoids, xavier


class Shape(NamedTuple):
    """Sizes of the network."""

    tokens: int
    width: int
    heads: int
    encoder_layers: int
    exclusive: tuple[bool, ...]  # one decoder layer each
    longest: int  # positions that there are
    absolute: bool = False  # whether cross queries have the position in the piece, not in the theme
    always: bool = False  # whether the gate is always open


class Theme(NamedTuple):
    """Tokens of themes, [rows, keys], and where they are not padding."""

    ids: Tensor
    mask: Tensor


Past = dict[nn.Module, Keys]  # of every attention: what it has met so far


def joined(past: Past | None, attention: nn.Module, fresh: Keys) -> Keys:
    """Fresh keys behind those of earlier steps, and kept with them; without a past the fresh ones alone."""
    if past is None:
        return fresh
    if attention in past:
        fresh = Keys(*(torch.cat(pair, dim=2) for pair in zip(past[attention], fresh, strict=True)))
    past[attention] = fresh
    return fresh


class Feed(nn.Module):
    """Two linear layers, the inner one four times as wide, GELU between them."""

    def __init__(self, width: int, *, rng: torch.Generator):
        super().__init__()
        self.inner, self.outer = xavier(width, 4 * width, rng=rng), xavier(4 * width, width, rng=rng)

    def forward(self, states: Tensor) -> Tensor:
        return self.outer(F.gelu(self.inner(states)))


def embedding(shape: Shape, *, rng: torch.Generator) -> nn.Embedding:
    made = nn.Embedding(shape.tokens, shape.width, padding_idx=0)
    with torch.no_grad():
        made.weight.normal_(generator=rng)
    return made


class EncoderLayer(nn.Module):
    def __init__(self, shape: Shape, *, rng: torch.Generator):
        super().__init__()
        self.attention = Attention(shape.width, shape.heads, rng=rng)
        self.feed = Feed(shape.width, rng=rng)
        self.first, self.second = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)

    def forward(self, states: Tensor, mask: Tensor, *, past: Past | None = None) -> Tensor:
        """Args: mask: [rows, 1 or steps, keys], True where a step may look. past: keys of earlier steps, joined."""
        met = joined(past, self.attention, self.attention.read(states))
        states = self.first(states + self.attention(states, met, mask))
        return self.second(states + self.feed(states))


class DecoderLayer(nn.Module):
    """Positions are added again in every layer: in keys and values too, as in the released code."""

    def __init__(self, shape: Shape, *, exclusive: bool, rng: torch.Generator):
        super().__init__()
        own, cross = (Attention(shape.width, shape.heads, rng=rng) for _ in range(2))
        self.both = GatedParallelAttention(own, cross, exclusive=exclusive)
        self.feed = Feed(shape.width, rng=rng)
        self.first, self.second = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)

    def forward(self, states: Tensor, around: Around) -> Tensor:
        placed = states + around.places
        added = self.both(
            lambda own: own(placed, joined(around.past, own, own.read(placed)), around.causal),
            lambda cross: cross(states + around.heard, around.theme(cross), around.mask[:, None]),
            around.gate,
        )
        states = self.first(states + added)
        return self.second(states + self.feed(states))


class Around:
    """What a decoder layer needs beside its states; with `past` keys of earlier steps are kept and joined."""

    def __init__(self, memory: Tensor, mask: Tensor, *, past: Past | None = None):
        self.memory, self.mask, self.past = memory, mask, past
        self.places = self.heard = self.causal = self.gate = memory.new_empty(0)

    def theme(self, cross: Attention) -> Keys:
        """Keys of the theme, which do not change while a piece is written."""
        if self.past is None:
            return cross.read(self.memory)
        if cross not in self.past:
            self.past[cross] = cross.read(self.memory)
        return self.past[cross]


class ThemeTransformer(nn.Module):
    """Source: Shih et al. 2022, arXiv:2111.04093, sec. 4; post-norm, GELU, one table of sinusoids, as released."""

    shape: Shape

    def __init__(self, shape: Shape, *, seed: int):
        super().__init__()
        self.shape, rng = shape, torch.Generator().manual_seed(seed)
        self.embedding = embedding(shape, rng=rng)
        self.encoder = nn.ModuleList(EncoderLayer(shape, rng=rng) for _ in range(shape.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(shape, exclusive=one, rng=rng) for one in shape.exclusive)
        self.out = xavier(shape.width, shape.tokens, rng=rng)
        self.table: Tensor
        self.register_buffer("table", sinusoids(shape.longest, shape.width), persistent=False)

    def read(self, theme: Theme) -> Tensor:
        """The theme as the decoder hears it, [rows, keys, width]."""
        states = self.embedding(theme.ids) + self.table[: theme.ids.shape[1]]
        for layer in self.encoder:
            states = layer(states, theme.mask[:, None])
        return states

    def forward(
        self, ids: Tensor, labels: Tensor, memory: Tensor, mask: Tensor, *, past: Past | None = None,
        start: int = 0,
    ) -> Tensor:  # fmt: skip
        """Logits [rows, steps, tokens] of the token after each.

        Args:
            labels: place of each token in the theme's region, 0 outside; a function of the tokens so far.
            past: keys of the `start` steps before, joined with those of these steps; None where these are all.
        """
        rows, steps = ids.shape
        around = Around(memory, mask, past=past)
        here = torch.arange(start, start + steps)
        around.places = self.table[here].expand(rows, -1, -1)
        around.heard = around.places if self.shape.absolute else self.table[labels]
        around.causal = (torch.arange(start + steps)[None, :] <= here[:, None]).expand(rows, -1, -1)
        open_ = torch.ones_like(labels) if self.shape.always else labels > 0
        around.gate = open_.to(memory)
        states = self.embedding(ids)
        for layer in self.decoder:
            states = layer(states, around)
        return self.out(states)


class PrefixTransformer(nn.Module):
    """The control: one decoder of as many layers, which reads the theme as the beginning of the piece."""

    shape: Shape

    def __init__(self, shape: Shape, *, seed: int):
        super().__init__()
        self.shape, rng = shape, torch.Generator().manual_seed(seed)
        self.embedding = embedding(shape, rng=rng)
        layers = shape.encoder_layers + len(shape.exclusive)
        self.layers = nn.ModuleList(EncoderLayer(shape, rng=rng) for _ in range(layers))
        self.out = xavier(shape.width, shape.tokens, rng=rng)
        self.table: Tensor
        self.register_buffer("table", sinusoids(2 * shape.longest, shape.width), persistent=False)

    def forward(self, ids: Tensor, mask: Tensor, *, places: Tensor | None = None, past: Past | None = None) -> Tensor:
        """Logits [rows, steps, tokens].

        Args:
            mask: [rows, steps, keys].
            places: [rows, steps] of the tokens; None: 0, 1, ...
            past: keys of the steps before, joined with those of these.
        """
        states = self.embedding(ids) + self.table[torch.arange(ids.shape[1]) if places is None else places]
        for layer in self.layers:
            states = layer(states, mask, past=past)
        return self.out(states)


Net = ThemeTransformer | PrefixTransformer
