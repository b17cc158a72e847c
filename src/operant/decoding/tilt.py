"""Exponential tilting over candidates: resample base answers with weights exp(u / beta), beta solved for a KL.

With u the log-likelihood of "the answer is good" and beta = 1 this is Bayesian conditioning of the base
(arXiv:2402.00742, eq. 3). It needs no training, so it compares rewards at equal KL.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.errors import OperantError, require
from operant.schema import KL, Answer, Decoding, Generator, Point, Policy, Prompt, Scorer


class Tilted(NamedTuple):
    weights: Tensor  # [candidates], sums to 1
    kl: float  # of the weights to uniform, nats


def tilt(utilities: Tensor, *, beta: float) -> Tilted:
    """Weights proportional to exp(u / beta) over [candidates]; -inf gets weight 0."""
    require(beta > 0, "beta", beta, "above 0")
    _some_finite(utilities)
    utilities = utilities.double()
    logs = ((utilities - utilities.max()) / beta).log_softmax(-1)  # shifted first: a tiny beta would magnify rounding
    weights = logs.exp()
    kl = float(torch.where(weights > 0, weights * (logs + math.log(len(weights))), torch.zeros_like(logs)).sum())
    return Tilted(weights, kl)


def tilt_to_kl(utilities: Tensor, *, kl: float) -> Tilted:
    """Weights whose KL to uniform is `kl` nats, by bisection on 1 / beta.

    What cannot be reached is approached: candidates that tie at the top share the weight, so ln(n / ties) is the most.
    """
    require(kl >= 0, "kl", kl, "0 or more nats")
    _some_finite(utilities)
    known = utilities.double()[utilities.isfinite()]
    scale = float((known.max() - known.min()).clamp(min=1e-12))
    low, high = 1e-9, 1e9
    for _ in range(64):  # halves 41 nats of log(1 / beta) down to the last bit
        middle = math.sqrt(low * high)
        low, high = (middle, high) if tilt(utilities, beta=scale / middle).kl < kl else (low, middle)
    return tilt(utilities, beta=scale / low)


def _some_finite(utilities: Tensor) -> None:
    if utilities.isnan().any() or (utilities == math.inf).any():
        expected = "a number, or -inf for what must not be drawn"
        raise OperantError(f"utilities are {utilities.tolist()[:8]}...; expected of each {expected}")
    if not utilities.isfinite().any():
        raise OperantError("no candidate has a finite utility; nothing can be resampled")


class Candidates(NamedTuple):
    answers: list[list[Answer]]  # [prompts][candidates]
    utilities: Tensor  # [prompts, candidates], -inf where unknown


Draw = Callable[[Sequence[Prompt], Decoding, int], Candidates]


class Resampled:
    """Draws candidates from the base and answers with one of them, at `kl` nats from it."""

    def __init__(
        self, base: Generator, scorer: Scorer, *, candidates: int, kl: float, ladder: Sequence[float] = (),
        draw: Draw | None = None,
    ):  # fmt: skip
        require(candidates >= 2, "candidates", candidates, "at least 2")
        require(kl >= 0, "kl", kl, "0 or more nats")
        self.base, self.scorer, self.candidates, self.target, self.ladder = base, scorer, candidates, kl, tuple(ladder)
        self.draw = draw or self.drawn

    def drawn(self, prompts: Sequence[Prompt], decoding: Decoding, seed: int) -> Candidates:
        """One set of base answers per prompt, with the scorer's utilities."""
        answers = self.base.answer(prompts, n=self.candidates, decoding=decoding, seed=answer_seed(seed, "candidates"))
        pairs = [(prompt, answer) for prompt, many in zip(prompts, answers, strict=True) for answer in many]
        scored = self.scorer.score([prompt for prompt, _ in pairs], [answer for _, answer in pairs])
        values = torch.tensor([-math.inf if score.value is None else score.value for score in scored])
        return Candidates(answers, values.view(len(prompts), -1))

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n draws, with replacement, from one set of candidates per prompt."""
        answers = []
        drawn = self.draw(prompts, decoding, seed)
        for prompt, many, utilities in zip(prompts, drawn.answers, drawn.utilities, strict=True):
            tilted = tilt_to_kl(utilities, kl=self.target)
            rng = Random(answer_seed(seed, "resample", prompt.id))
            picks = rng.choices(range(len(many)), weights=tilted.weights.tolist(), k=n)
            answers.append([_marked(many[pick], tilted.kl) for pick in picks])
        return answers

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Unknown: an answer's probability depends on the candidates it stood beside."""
        assert len(prompts) == len(answers)

    def kl(self, base: Policy, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        """The weights' KL to uniform, averaged over candidate sets, bounds the KL of what is drawn (convexity)."""
        assert base is not None and len(prompts) == len(answers)
        values = tuple(float(answer.trace["kl"]) for answer in answers)
        return KL(values=values, kind="bound", why="KL of the resampling weights")

    def points(self) -> list[Point]:
        """The rungs of its ladder of KLs; they resample the same candidates, which are drawn once."""
        draw = last_remembered(self.drawn)
        return [
            Point(
                knob="kl", value=kl,
                generator=Resampled(self.base, self.scorer, candidates=self.candidates, kl=kl, draw=draw),
            )
            for kl in self.ladder
        ]  # fmt: skip

    def save(self, directory: Path) -> None:
        for name, part in (("base", self.base), ("scorer", self.scorer)):
            (directory / name).mkdir(parents=True, exist_ok=True)
            part.save(directory / name)


def last_remembered(draw: Draw) -> Draw:
    """The same draw, which is not made again when it is asked for twice in a row."""
    kept: list[tuple[object, Candidates]] = []

    def remembered(prompts: Sequence[Prompt], decoding: Decoding, seed: int) -> Candidates:
        asked = (tuple(prompt.id for prompt in prompts), decoding, seed)
        if not kept or kept[0][0] != asked:
            kept[:] = [(asked, draw(prompts, decoding, seed))]
        return kept[0][1]

    return remembered


def _marked(answer: Answer, kl: float) -> Answer:
    return Answer(value=answer.value, tokens=answer.tokens, logps=answer.logps, finish=answer.finish, trace={"kl": kl})
