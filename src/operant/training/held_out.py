"""Pairs that a method keeps back to judge itself by, out of those it may train on: validation labels cost extra."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from operant.disk import answer_seed
from operant.errors import OperantError, require
from operant.schema import Pair


class Parts(NamedTuple):
    kept: list[Pair]
    held: list[Pair]


def held_out(pairs: Sequence[Pair], *, share: float, seed: int) -> Parts:
    """Both parts in the order given, no prompt in both; `share` of the prompts, at least one, is held out."""
    require(0 < share < 1, "held_out", share, "between 0 and 1, a share of the training prompts")
    prompts = sorted({pair.prompt.id for pair in pairs})
    if len(prompts) < 2:
        raise OperantError(f"the {len(pairs)} pairs have {len(prompts)} prompt; to hold some out takes at least 2")
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1)
    out = set(Random(answer_seed(seed, "held out")).sample(prompts, count))
    return Parts([one for one in pairs if one.prompt.id not in out], [one for one in pairs if one.prompt.id in out])
