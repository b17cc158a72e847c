"""Several policies as one: each answer is written by one of them, all equally often."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from operant.disk import answer_seed
from operant.engine.policy import LanguageModel
from operant.errors import require
from operant.models.loading import Loading
from operant.schema import KL, Answer, Decoding, Point, Prompt


class Mixture:
    """The uniform mixture of policies, as a law over whole answers: p(y) is the mean of their p(y)."""

    def __init__(self, parts: Sequence[LanguageModel]):
        require(parts, "policies", len(parts), "at least one")
        self.parts = list(parts)

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """Answer j of a prompt is the one that its part, drawn by a hash of the three, gives under the same seed."""
        chosen = [[answer_seed(seed, "part", one.id, j) % len(self.parts) for j in range(n)] for one in prompts]
        found: list[list[Answer | None]] = [[None] * n for _ in prompts]
        for place, part in enumerate(self.parts):
            rows = [row for row, own in enumerate(chosen) if place in own]
            drawn = part.answer([prompts[row] for row in rows], n=n, decoding=decoding, seed=seed) if rows else []
            for row, many in zip(rows, drawn, strict=True):
                for copy in (copy for copy in range(n) if chosen[row][copy] == place):
                    found[row][copy] = many[copy]
        return [[one for one in many if one is not None] for many in found]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        """Of each token given what stands before it: the part is not known, what was written tells of it."""
        told = [part.logps(prompts, answers) for part in self.parts]
        return [mixed_logps([own[place] for own in told]) for place in range(len(answers))]

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        ours, theirs = self.logps(prompts, answers), base.logps(prompts, answers)
        values = tuple(sum(one) - sum(other) for one, other in zip(ours, theirs, strict=True))
        return KL(values=values, kind="estimate", why="log-ratios of sampled answers of a mixture")

    def points(self) -> list[Point]:
        """Its parts, in the order they were trained."""
        return [Point(knob="part", value=float(place + 1), generator=one) for place, one in enumerate(self.parts)]

    def save(self, directory: Path) -> None:
        for name, part in zip(_names(len(self.parts)), self.parts, strict=True):
            (directory / name).mkdir(parents=True, exist_ok=True)
            part.save(directory / name)

    @classmethod
    def load(cls, directory: Path, loading: Loading) -> Mixture:
        count = sum(1 for one in directory.iterdir() if one.name == "base" or one.name.startswith("part-"))
        return cls([LanguageModel.load(directory / name, loading) for name in _names(count)])


def _names(count: int) -> list[str]:
    """The first as `base`: what reads a product's model to begin with looks there."""
    return ["base", *(f"part-{place}" for place in range(1, count))]


def mixed_logps(parts: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Log-probability of each token under the uniform mixture of whole answers, nats.

    log mean_k p_k(y up to t) - log mean_k p_k(y before t)
    """
    sums = np.concatenate([np.zeros((len(parts), 1)), np.cumsum(np.asarray(parts, dtype=float), 1)], 1)
    so_far = np.logaddexp.reduce(sums, axis=0) - np.log(len(parts))
    return tuple(float(after - before) for before, after in pairwise(so_far))
