"""Pieces written token by token, each legal; at random that is the base of music."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operant.data.modelless import WithoutModel
from operant.disk import answer_seed
from operant.domains.music.tokens import BAR, START, Vocabulary
from operant.errors import OperantError
from operant.schema import Answer, Decoding, Prompt

MOST = 512  # tokens of a piece

Chances = Callable[[Sequence[Sequence[int]]], NDArray[np.float64]]  # pieces so far -> [pieces, ids], of the next token
Ready = Callable[[Sequence[Prompt], Decoding], Chances]  # for these prompts, one piece each


class Writer(WithoutModel):
    """Writes pieces token by token, each legal, until the bars that a prompt asks for are full.

    Args:
        ready: what comes next.
        most: tokens of a piece.
        store: writes what is needed to load it again into a folder.
    """

    what = "pieces"

    def __init__(
        self, vocabulary: Vocabulary, ready: Ready, *, most: int = MOST, store: Callable[[Path], None] | None = None
    ):
        self.vocabulary, self.most, self._ready, self._store = vocabulary, most, ready, store

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n pieces per prompt, each with random numbers of its own; max_tokens is for texts.

        Raises: OperantError for a prompt whose columns do not say how many bars its piece is to have.
        """
        lacking = [prompt.id for prompt in prompts if "bars" not in prompt.columns]
        if lacking:
            raise OperantError(
                f"prompt {lacking[0]!r} does not say how long its piece is; give it columns={{'bars': 12}}"
            )
        asked = [prompt for prompt in prompts for _ in range(n)]
        draws = [np.random.default_rng(answer_seed(seed, prompt.id, j)).random(self.most)
                 for prompt in prompts for j in range(n)]  # fmt: skip
        written = self._written(asked, self._ready(asked, decoding), np.array(draws))
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

    def save(self, directory: Path) -> None:
        if self._store is not None:
            self._store(directory)


def at_random(vocabulary: Vocabulary) -> Writer:
    """Every kind of token as likely, and within a kind every legal token: the writer that has learnt nothing."""
    kinds = np.array(vocabulary.kinds)
    weights = 1.0 / np.array([(kinds == kind).sum() for kind in kinds])
    return Writer(vocabulary, lambda *_: lambda pieces: np.tile(weights, (len(pieces), 1)))
