"""Pieces as rows, the loss, what a pass costs, and the next token's chances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from operant.decoding.nucleus import nucleus
from operant.domains.music.notes import Note, Piece, first_theme
from operant.domains.music.tokens import Vocabulary, labels
from operant.meter import charge
from operant.methods.condition.theme_transformer.net import Net, Past, PrefixTransformer, Theme, ThemeTransformer

HEARD = (".both.cross.key.", ".both.cross.value.")  # weights that meet the theme, whatever the piece


class Row(NamedTuple):
    """A piece to learn from."""

    theme: tuple[int, ...]
    ids: tuple[int, ...]
    labels: tuple[int, ...]


def row_of(vocabulary: Vocabulary, piece: Piece, *, longest: int, shift: int = 0) -> Row:
    """A piece and its first theme, both moved by `shift` semitones, cut to the longest."""
    moved = Piece(notes=tuple(_moved(note, shift) for note in piece.notes), bars=piece.bars, themes=piece.themes)
    ids = vocabulary.encode(moved)[:longest]
    theme = vocabulary.encode_theme(first_theme(moved))
    return Row(tuple(theme), tuple(ids), tuple(labels(vocabulary, ids)))


def _moved(note: Note, shift: int) -> Note:
    return note.moved(pitch=shift)


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """[rows, longest], 0 behind each."""
    wide = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (wide - len(row))] for row in rows])


def theme_of(rows: Sequence[Sequence[int]]) -> Theme:
    ids = padded(rows)
    return Theme(ids, ids > 0)


def row_losses(net: Net, rows: Sequence[Row]) -> Tensor:
    """[rows] sum of the cross-entropy of every token after the first, nats; metered."""
    ids = padded([row.ids for row in rows])
    logits = _logits(net, rows, ids)
    wanted = ids[:, 1:]
    each = F.cross_entropy(logits[:, :-1].transpose(1, 2), wanted, reduction="none")
    flops = pass_flops(net, rows)
    charge(
        forward_flops=flops / 3, backward_flops=2 * flops / 3, forward_tokens=ids.numel(), backward_tokens=ids.numel()
    )
    return (each * (wanted > 0)).sum(-1)


def _logits(net: Net, rows: Sequence[Row], ids: Tensor) -> Tensor:
    if isinstance(net, PrefixTransformer):
        both = padded([(*row.theme, *row.ids) for row in rows])
        found = net(both, causal(both))
        steps = [found[at, len(row.theme) :][: ids.shape[1]] for at, row in enumerate(rows)]
        return torch.stack([F.pad(one, (0, 0, 0, ids.shape[1] - len(one))) for one in steps])
    theme = theme_of([row.theme for row in rows])
    assert isinstance(net, ThemeTransformer)
    return net(ids, padded([row.labels for row in rows]), net.read(theme), theme.mask)


def causal(ids: Tensor) -> Tensor:
    """[rows, steps, steps]: what each step may look at."""
    steps = ids.shape[1]
    return torch.ones(steps, steps, dtype=torch.bool).tril().expand(len(ids), -1, -1)


def pass_flops(net: Net, rows: Sequence[Row]) -> float:
    """Forward and twice that backward: 2 for each weight and token, 4 for each pair of attention and its width."""
    shape, themed = net.shape, isinstance(net, ThemeTransformer)
    products = {name: one.numel() for name, one in net.named_parameters() if one.dim() > 1}
    weights = sum(count for name, count in products.items() if "embedding" not in name)
    reading = sum(n for name, n in products.items() if name.startswith("encoder") or any(one in name for one in HEARD))
    wide = max(len(row.ids) + (0 if themed else len(row.theme)) for row in rows)
    theme = max(len(row.theme) for row in rows)
    layers = len(shape.exclusive) + (0 if themed else shape.encoder_layers)
    each = 2.0 * (weights - reading) * wide + 4.0 * layers * shape.width * wide**2
    if themed:
        each += 2.0 * reading * theme + 4.0 * shape.width * theme * (theme * shape.encoder_layers + wide * layers)
    return 3.0 * each * len(rows)


class Next:
    """Chances of the next token of several pieces, which grow by a token a call; keys are kept."""

    def __init__(
        self, net: Net, vocabulary: Vocabulary, themes: Sequence[Sequence[int]], *,
        temperature: float, top_p: float,
    ):  # fmt: skip
        self.net, self.vocabulary, self.themes = net, vocabulary, themes
        self.temperature, self.top_p = temperature, top_p
        self.past: Past = {}
        self.step = 0
        with torch.no_grad():
            self.theme = theme_of(themes)
            self.memory = net.read(self.theme) if isinstance(net, ThemeTransformer) else None
        read = [Row(tuple(theme), (), ()) for theme in themes]
        charge(forward_flops=pass_flops(net, read) / 3, forward_tokens=self.theme.ids.numel())

    @torch.no_grad()
    def __call__(self, pieces: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """[pieces, ids] of legal tokens. The first is the theme's first mark: a piece begins with its theme."""
        if self.step == 0:
            self.step = 1
            first = np.zeros((len(pieces), len(self.vocabulary)))
            first[:, [theme[0] for theme in self.themes]] = 1.0
            return first
        logits = self._prefixed(pieces) if self.memory is None else self._themed(pieces)
        self.step += 1
        legal = torch.from_numpy(np.stack([self.vocabulary.legal(piece) for piece in pieces]))
        logits = logits.double().masked_fill(~legal, -torch.inf)  # first: a nucleus may hold nothing else
        return chances_of(logits, temperature=self.temperature, top_p=self.top_p).numpy()

    def _themed(self, pieces: Sequence[Sequence[int]]) -> Tensor:
        """Of the newest token alone; a piece that has ended is fed its last token again, and nobody reads it."""
        ids = torch.tensor([[piece[min(self.step, len(piece)) - 1]] for piece in pieces])
        marks = torch.tensor([[labels(self.vocabulary, piece)[-1]] for piece in pieces])
        assert self.memory is not None and isinstance(self.net, ThemeTransformer)
        charge(forward_flops=_step_flops(self.net, len(pieces), self.step), forward_tokens=len(pieces))
        made = self.net(ids, marks, self.memory, self.theme.mask, past=self.past, start=self.step - 1)
        return made[:, -1]

    def _prefixed(self, pieces: Sequence[Sequence[int]]) -> Tensor:
        """The same behind the theme, which is read first."""
        ids = torch.tensor([[piece[min(self.step, len(piece)) - 1]] for piece in pieces])
        lengths = torch.tensor([[len(theme)] for theme in self.themes])
        assert isinstance(self.net, PrefixTransformer)
        if self.step == 1:
            read = causal(self.theme.ids) & self.theme.mask[:, None]
            self.net(self.theme.ids, read, past=self.past)
        behind = torch.ones(len(ids), self.step, dtype=torch.bool)
        mask = torch.cat([self.theme.mask, behind], dim=1)[:, None]
        charge(
            forward_flops=_step_flops(self.net, len(pieces), int(lengths.max()) + self.step), forward_tokens=len(ids)
        )
        return self.net(ids, mask, places=lengths + self.step - 1, past=self.past)[:, -1]


def _step_flops(net: Net, rows: int, step: int) -> float:
    """Of one token behind kept keys."""
    apart = ("embedding", "encoder", *HEARD)
    weights = sum(one.numel() for name, one in net.named_parameters() if not any(part in name for part in apart))
    return rows * (2.0 * weights + 4.0 * net.shape.width * step * len(net.shape.exclusive))


def chances_of(logits: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """At a temperature, of the fewest likeliest tokens that hold `top_p` together; the greatest one at 0."""
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).double()
    return nucleus(logits / temperature, top_p=top_p).softmax(-1)
