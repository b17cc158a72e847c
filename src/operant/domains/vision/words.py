"""What a scene's words mean to a net: one vector for each phrase and action, drawn once and never learnt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from operant.domains.vision.scene import ACTIONS, COLOURS, KINDS, Scene
from operant.errors import UnknownName
from operant.models.denoiser import Condition

WIDTH = 32
LONGEST = 6  # words of a caption: two pairs


@cache
def table() -> dict[str, Float[Tensor, " width"]]:
    """Unit normals from one seed; a phrase is the sum of its words."""
    words = [*COLOURS, *KINDS, *(name for names in ACTIONS.values() for name in names)]
    drawn = torch.randn(len(words), WIDTH, generator=torch.Generator().manual_seed(0))
    return dict(zip(words, drawn, strict=True))


def embedded(phrase: str) -> Float[Tensor, " width"]:
    """Of an action, or of a colour and a kind."""
    parts = [phrase] if phrase in table() else phrase.split()
    for part in parts:
        if part not in table():
            raise UnknownName("word of a caption", part, table())
    return torch.stack([table()[part] for part in parts]).sum(0)


def captions(scenes: Sequence[Scene | None]) -> Condition:
    """A row for each caption: a set of phrases and actions, in no order. None: the empty caption."""
    context = torch.zeros(len(scenes), LONGEST, WIDTH)
    mask = torch.zeros(len(scenes), LONGEST)
    for row, scene in enumerate(scenes):
        pairs = scene.pairs if scene is not None else ()
        phrases = [text for pair in pairs for text in (pair.subject.phrase, pair.action, pair.object.phrase)]
        for place, phrase in enumerate(phrases[:LONGEST]):
            context[row, place], mask[row, place] = embedded(phrase), 1.0
        mask[row, 0] = 1.0  # something must be attended to
    return Condition(context, mask)
