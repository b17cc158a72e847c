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
        self.length = max(map(len, prompts))
        self.last = self._read(self.memory.start, rows=len(prompts), queries=self.length)

    def _read(self, step: Callable[..., Any], *tokens: Tensor, rows: int, queries: int) -> Tensor:
        read, scored = rows * queries, rows if self.reading.scored else 0
        charge(
            forward_flops=self.price.of(tokens=read, attended=read * self.length, head_rows=scored), forward_tokens=read
        )
        return self.reading.value(self.module, step(self.reading.forward(self.module), *tokens))

    def repeat(self, copies: int) -> None:
        """Every row `copies` times, side by side."""
        if copies > 1:
            self.memory.repeat(copies)
            self.last = self.last.repeat_interleave(copies, 0)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in the order of their prompts; any of them may be there several times."""
        self.memory.keep(rows)
        self.last = self.last[rows]

    def step(self, token: Tensor) -> None:
        """One token a row."""
        self.length += 1
        queries = self.length if self.memory.anew else 1
        self.last = self._read(self.memory.step, token, rows=len(token), queries=queries)

    def fork(self, rows: Tensor) -> State:
        """Another that goes on from these rows, in the order of their prompts, any of them several times."""
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


Choose = Callable[[int, Tensor], tuple[Tensor, ...]]  # (step, rows that go on) -> tokens, and what else is kept of them


def grow(states: Sequence[State], choose: Choose, *, rows: int, most: int, stops: frozenset[int]) -> list[list[Any]]:
    """Tokens by step until a stop token or `most`, with what `choose` said of them; rows that stop leave the batch."""
    found: list[list[Any]] = [[] for _ in range(rows)]
    alive = torch.arange(rows)
    for time in range(most):
        token, *more = choose(time, alive)
        for row, *chosen in zip(alive.tolist(), token.tolist(), *(one.tolist() for one in more), strict=True):
            found[row].append(tuple(chosen))
        going = (~torch.isin(token, token.new_tensor(sorted(stops)))).nonzero().squeeze(-1)
        if time + 1 == most or not len(going):
            break
        if len(going) < len(alive):
            alive, token = alive[going.cpu()], token[going]
            for state in states:
                state.keep(going)
        for state in states:
            state.step(token)
    return found
