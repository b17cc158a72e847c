"""Where the theme of a piece stands that nobody annotated: passages alike under small changes, clustered by density."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from operant.domains.music.notes import STEPS, Note, Piece, Region
from operant.errors import OperantError, require
from operant.models.mlp import mlp
from operant.objectives.contrastive import nt_xent

BARS = 2  # of a passage
TEMPERATURE = 0.1
BATCH = 64
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def passages(piece: Piece) -> list[tuple[Note, ...]]:
    """Every two bars of the piece, counted from their own beginning; some may be empty."""
    return [piece.bars_of(Region(bar, bar + BARS)) for bar in range(0, piece.bars - BARS + 1, BARS)]


def features(notes: Sequence[Note]) -> list[float]:
    """For each sixteenth whether a note begins, and how far its pitch is from the passage's mean, in octaves."""
    middle = sum(note.pitch for note in notes) / max(1, len(notes))
    begins, heights = [0.0] * BARS * STEPS, [0.0] * BARS * STEPS
    for note in (one for one in notes if one.start < BARS * STEPS):  # what a long note was split into may lie behind
        begins[note.start], heights[note.start] = 1.0, (note.pitch - middle) / 12
    return begins + heights


def altered(notes: Sequence[Note], rng: Random) -> tuple[Note, ...]:
    """The same to an ear: a step along the scale, the last note shortened, a note split in two, or two joined."""
    kind = rng.choice(("step", "last", "split", "join"))
    found = list(notes)
    if kind == "step":
        up = rng.choice((-1, 1))
        return tuple(Note(note.start, stepped(note.pitch, up), note.duration) for note in found)
    if kind == "last":
        found[-1] = Note(found[-1].start, found[-1].pitch, max(1, found[-1].duration // 2))
    if kind == "split":
        at = max(range(len(found)), key=lambda place: found[place].duration)
        note = found[at]
        if note.duration > 1:
            half = note.duration // 2
            found[at : at + 1] = [
                Note(note.start, note.pitch, half),
                Note(note.start + half, note.pitch, note.duration - half),
            ]
    if kind == "join" and len(found) > 2:
        at = rng.randrange(len(found) - 1)
        one, two = found[at], found[at + 1]
        found[at : at + 2] = [Note(one.start, one.pitch, one.duration + two.duration)]
    return tuple(found)


def stepped(pitch: int, up: int) -> int:
    """The next pitch of C major above or below."""
    pitch += up
    return pitch if pitch % 12 in MAJOR else pitch + up


def passage_encoder(pieces: Sequence[Piece], *, steps: int = 300, seed: int = 0) -> nn.Module:
    """A net under which a passage lies near its altered self and far from other passages."""
    known = [notes for piece in pieces for notes in passages(piece) if len(notes) > 2]
    require(len(known) >= 2, "passages of three notes or more", len(known), "at least 2 to learn from")
    rng = Random(seed)
    net = mlp((2 * BARS * STEPS, 128, 32), rng=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(steps):
        drawn = rng.sample(known, min(BATCH, len(known)))
        sides = [torch.tensor([features(change) for change in some])
                 for some in (drawn, [altered(notes, rng) for notes in drawn])]  # fmt: skip
        loss = nt_xent(net(sides[0]), net(sides[1]), temperature=TEMPERATURE).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


@torch.no_grad()
def with_theme(piece: Piece, encoder: nn.Module, *, near: float = 0.3) -> Piece:
    """The piece with its theme's regions: the largest cluster of its passages.

    Args: near: cosine distance within which two passages are neighbours; two make a cluster.
    Raises: OperantError where no passage comes back.
    """
    some = [(place, notes) for place, notes in enumerate(passages(piece)) if len(notes) > 2]
    if len(some) < 2:
        raise OperantError(
            f"a piece of {piece.bars} bars has {len(some)} passages with three notes; no theme can return"
        )
    vectors: Tensor = torch.nn.functional.normalize(encoder(torch.tensor([features(n) for _, n in some])), dim=-1)
    groups = clusters((1 - vectors @ vectors.T).numpy(), near=near, least=2)
    if not groups:
        raise OperantError("no passage of the piece comes back, exactly or varied; raise near=")
    theme = max(groups, key=len)
    themes = tuple(Region(some[at][0] * BARS, some[at][0] * BARS + BARS) for at in theme)
    return Piece(notes=piece.notes, bars=piece.bars, themes=themes)


def clusters(distances: NDArray[np.float32], *, near: float, least: int) -> list[list[int]]:
    """Groups by density: whoever has `least` neighbours, itself included, gathers them and theirs.

    Source: DBSCAN, Ester et al. 1996, KDD, sec. 3; what nobody gathers is noise and in no group.
    """
    neighbours = [np.flatnonzero(row <= near) for row in distances]
    group, found = dict[int, int](), list[list[int]]()
    for first in range(len(distances)):
        if first in group or len(neighbours[first]) < least:
            continue
        waiting, own = [first], list[int]()
        while waiting:
            at = waiting.pop()
            if at in group:
                continue
            group[at] = len(found)
            own.append(at)
            if len(neighbours[at]) >= least:
                waiting += [int(one) for one in neighbours[at] if int(one) not in group]
        found.append(sorted(own))
    return found
