"""A batch of texts that grow token by token: what samplers and searches stand on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.memory import memory_of
from operant.meter import charge
from operant.models.causal import body_of
from operant.models.flops import price_of
from operant.models.heads import score_layer

GHOSTS = 0.125  # of the rows in memory: so many may have ended before what is remembered is copied without them


class Reading(NamedTuple):
    """What is read at the last position of every text."""

    forward: Callable[[Any], Callable[..., Any]]  # of a module: its pass over inputs
    value: Callable[[Any, Any], Tensor]  # (module, what the pass returned) -> [rows, ...]
    scored: bool  # whether the output layer is applied


NEXT_LOGITS = Reading(  # of a language model: [rows, vocabulary]
    lambda module: partial(module, logits_to_keep=1), lambda _, out: out.logits[:, -1], scored=True
)
PREFIX_REWARD = Reading(  # of a reward head: [rows] reward of the text so far
    lambda head: body_of(head), lambda head, out: score_layer(head)(out[0][:, -1]).squeeze(-1).float(), scored=False
)


class State:
    """Texts so far, as the model remembers them, and what was read at their last position."""

    def __init__(
        self, module: Any, reading: Reading, prompts: Sequence[tuple[int, ...]], *, pad: int, more: int
    ):  # fmt: skip
        """One pass over every prompt; `more` is how many tokens may follow."""
        self.module, self.reading, self.price = module, reading, price_of(module)
        self.memory = memory_of(module, prompts, pad=pad, more=more)
        self.places: Tensor | None = None  # of the texts among the rows in memory; None where they are all
        self.last = self._read(self.memory.start, rows=len(prompts), queries=self.memory.width)

    def _read(self, step: Callable[..., Any], *tokens: Tensor, rows: int, queries: int) -> Tensor:
        self.rows, read, scored = rows, rows * queries, rows if self.reading.scored else 0
        length = self.memory.width + bool(tokens)
        charge(forward_flops=self.price.of(tokens=read, attended=read * length, head_rows=scored), forward_tokens=read)
        return self.reading.value(self.module, step(self.reading.forward(self.module), *tokens))

    def repeat(self, copies: int) -> None:
        """Every row `copies` times, side by side."""
        if copies > 1:
            self._settle()
            self.memory.repeat(copies)
            self.rows *= copies
            self.last = self.last.repeat_interleave(copies, 0)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in the order of their prompts; any of them may be there several times."""
        self.last = self.last[rows]
        self.places = rows if self.places is None else self.places[rows]
        in_place = bool((self.places.diff() > 0).all())
        if not in_place or len(rows) < self.rows * (1 - GHOSTS):
            self._settle()

    def _settle(self) -> None:
        """Forget the rows that nobody goes on from."""
        if self.places is not None:
            self.memory.keep(self.places)
            self.rows, self.places = len(self.places), None

    def join(self, other: State) -> None:
        """Go on with the rows of another, which was just read, behind these."""
        self._settle()
        other._settle()
        self.memory.join(other.memory)
        self.rows += other.rows
        self.last = torch.cat([self.last, other.last])

    def step(self, token: Tensor) -> None:
        """One token a row."""
        queries = self.memory.width + 1 if self.memory.anew else 1
        if self.places is None:
            self.last = self._read(self.memory.step, token, rows=self.rows, queries=queries)
        else:
            every = token.new_zeros(self.rows).index_copy(0, self.places, token)
            self.last = self._read(self.memory.step, every, rows=self.rows, queries=queries)[self.places]

    def fork(self, rows: Tensor) -> State:
        """Another that goes on from these rows, in the order of their prompts, any of them several times."""
        self._settle()
        twin = copy.copy(self)
        twin.memory = self.memory.twin()
        twin.keep(rows)
        return twin

    def peek(self, tokens: Tensor) -> Tensor:
        """[rows, choices, ...] what would be read after each of [rows, choices] next tokens; nothing is kept."""
        rows = torch.arange(len(tokens), device=tokens.device).repeat_interleave(tokens.shape[1])
        twin = self.fork(rows)
        twin.step(tokens.flatten())
        return twin.last.unflatten(0, tokens.shape)


Choose = Callable[
    [Tensor, Tensor], tuple[Tensor, ...]
]  # (tokens so far, rows) -> tokens, and what else is kept of them
Fill = Callable[[int], int]  # how many rows go on -> how many more are now in the states, behind them


def grow(
    states: Sequence[State], choose: Choose, *, most: int, stops: frozenset[int], rows: int = 0,
    fill: Fill | None = None,
) -> list[list[Any]]:  # fmt: skip
    """Tokens of each row until a stop token or `most`, with what `choose` said of them.

    Rows that stop leave the batch; `fill` is asked for others before every step, and at the end.
    """
    found: list[list[Any]] = [[] for _ in range(rows)]
    alive = torch.arange(rows)
    while True:
        if fill is not None:
            new = fill(len(alive))
            alive = torch.cat([alive, torch.arange(len(found), len(found) + new)])
            found += [[] for _ in range(new)]
        if not len(alive):
            return found
        times = torch.tensor([len(found[row]) for row in alive.tolist()])
        token, *more = choose(times, alive)
        for row, *chosen in zip(alive.tolist(), token.tolist(), *(one.tolist() for one in more), strict=True):
            found[row].append(tuple(chosen))
        ended = torch.isin(token, token.new_tensor(sorted(stops))) | (times.to(token.device) + 1 == most)
        going = (~ended).nonzero().squeeze(-1)
        if 0 < len(going) < len(alive):
            for state in states:
                state.keep(going)
        alive, token = alive[going.cpu()], token[going]
        for state in states if len(alive) else ():
            state.step(token)
