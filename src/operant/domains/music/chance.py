"""The base of music: legal tokens at random. And the doors that generators of pieces share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operant.disk import answer_seed
from operant.domains.music.tokens import BAR, START, Vocabulary
from operant.errors import NotApplicable
from operant.schema import KL, Answer, Decoding, Point, Prompt

MOST = 512  # tokens of a piece

Chances = Callable[[Sequence[Sequence[int]]], NDArray[np.float64]]  # pieces so far -> [pieces, ids], of the next token


class Writer:
    """Writes pieces token by token, each legal, until the bars that a prompt asks for are full."""

    def __init__(self, vocabulary: Vocabulary, *, most: int = MOST):
        self.vocabulary, self.most = vocabulary, most

    @property
    def module(self) -> Any:
        raise NotApplicable("pieces are not written by a language model of text; this method needs one")

    @property
    def tokenizer(self) -> Any:
        raise NotApplicable("pieces have no tokenizer of text")

    def chances(self, prompts: Sequence[Prompt], decoding: Decoding) -> Chances:
        """What comes next for these prompts, one piece each."""
        raise NotImplementedError

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n pieces per prompt, each with random numbers of its own; max_tokens is for texts."""
        asked = [prompt for prompt in prompts for _ in range(n)]
        draws = [np.random.default_rng(answer_seed(seed, prompt.id, j)).random(self.most)
                 for prompt in prompts for j in range(n)]  # fmt: skip
        written = self._written(asked, self.chances(asked, decoding), np.array(draws))
        flat = [
            Answer(value=self.vocabulary.decode(ids), finish="stop" if whole else "length") for ids, whole in written
        ]
        return [flat[at : at + n] for at in range(0, len(flat), n)]

    def _written(
        self, prompts: Sequence[Prompt], chances: Chances, draws: NDArray[np.float64]
    ) -> list[tuple[list[int], bool]]:
        """Tokens of every piece, and whether it reached its bars. A piece ends where nothing legal has any chance."""
        pieces: list[list[int]] = [[] for _ in prompts]
        state = ["open"] * len(prompts)
        for step in range(self.most):
            if "open" not in state:
                break
            for place, row in enumerate(chances(pieces)):
                if state[place] == "open":
                    state[place] = self._next(pieces[place], row, draws[place, step], prompts[place].columns["bars"])
        return [(ids, end == "whole") for ids, end in zip(pieces, state, strict=True)]

    def _next(self, ids: list[int], chances: NDArray[np.float64], drawn: float, bars: int) -> str:
        weights = np.where(self.vocabulary.legal(ids), chances, 0.0).cumsum()
        if weights[-1] <= 0:
            return "stuck"
        token = int(np.searchsorted(weights, drawn * weights[-1], side="right"))
        full = sum(one == self.vocabulary.ids[BAR] for one in ids) == bars
        if full and self.vocabulary.kinds[token] in (BAR, START):
            return "whole"
        ids.append(min(token, len(weights) - 1))
        return "open"

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        assert len(prompts) == len(answers)
        return None

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="the base of music writes at random; nothing has to stay near it")

    def points(self) -> list[Point]:
        return []

    def save(self, directory: Path) -> None:
        """Nothing is kept."""
        assert directory.is_dir()


class Chance(Writer):
    """Every kind of token as likely, and within a kind every legal token."""

    def chances(self, prompts: Sequence[Prompt], decoding: Decoding) -> Chances:
        assert len(prompts) and decoding is not None
        kinds = np.array(self.vocabulary.kinds)
        weights = 1.0 / np.array([(kinds == kind).sum() for kind in kinds])
        return lambda pieces: np.tile(weights, (len(pieces), 1))
