"""n answers per prompt: one prefill a prompt, then our own loop. Every answer draws from its own generator."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from operant.disk import answer_seed
from operant.engine.mix import Part, mixed
from operant.engine.state import NEXT_LOGITS, State, grow
from operant.errors import require
from operant.meter import charge
from operant.schema import Decoding

ROWS = 256  # answers in flight
FREE = 0.25  # of them, before others join: each time costs a copy of what is remembered
BLOCK = 256  # columns whose weights are summed first


Shape = Callable[[Tensor], Tensor]  # [rows, vocabulary] logits -> those that are drawn from
Read = Callable[..., State]  # (token ids of each text, more=how many tokens may follow) -> the texts, read


class Sampled(NamedTuple):
    tokens: tuple[int, ...]
    logps: tuple[float, ...] | None  # nats, of what was drawn from (greedy: of the model at temperature 1)
    stopped: bool


class Asked(NamedTuple):
    """One prompt: the id that its draws hang on, and its token ids for each model of a mixture."""

    id: str
    ids: tuple[tuple[int, ...], ...]


class Source(NamedTuple):
    """What answers are drawn from: a mixture of models, at the price of their forwards."""

    parts: Sequence[Part]
    shape: Shape | None = None  # of the mixture, before the temperature
    reads: Sequence[Read] = ()  # how each model reads the prompts, where not from their beginnings


def sample(
    module: Any, prompts: Sequence[tuple[str, tuple[int, ...]]], *, n: int, decoding: Decoding, seed: int,
    stops: frozenset[int], pad: int,
) -> list[list[Sampled]]:  # fmt: skip
    """n answers of one model for each (prompt id, token ids)."""
    asked = [Asked(name, (ids,)) for name, ids in prompts]
    return sample_from(Source([Part(module)]), asked, n=n, decoding=decoding, seed=seed, stops=stops, pad=pad)


@torch.no_grad()
def sample_from(
    source: Source, prompts: Sequence[Asked], *, n: int, decoding: Decoding, seed: int, stops: frozenset[int], pad: int
) -> list[list[Sampled]]:  # fmt: skip
    """n answers for each prompt. What else is in the batch changes nothing beyond rounding."""
    require(n >= 1, "n", n, "at least 1 answer per prompt")
    require(decoding.max_tokens >= 1, "max_tokens", decoding.max_tokens, "at least 1")
    require(0 <= decoding.temperature < math.inf, "temperature", decoding.temperature, "0 (greedy) or above")
    if not source.reads:
        reads = [partial(State, part.module, NEXT_LOGITS, pad=pad) for part in source.parts]
        source = source._replace(reads=reads)
    flight = _Flight(source, prompts, n=n, decoding=decoding, seed=seed)
    grown = grow(flight.states, flight.choose, most=decoding.max_tokens, stops=stops, fill=flight.fill)
    answers: list[list[Sampled]] = [[] for _ in prompts]
    for owner, row in zip(flight.owners, grown, strict=True):
        tokens, logps = zip(*row, strict=True)
        answers[owner].append(Sampled(tokens, logps, tokens[-1] in stops))
    charge(sampled_tokens=sum(map(len, grown)))
    return answers


class _Flight:
    """Answers that are written together, those to the shortest prompts first; as some end, the next ones join.

    Where the models remember in a way that lets nobody join, the next wait until all have ended.
    """

    def __init__(self, source: Source, prompts: Sequence[Asked], *, n: int, decoding: Decoding, seed: int):
        self.source, self.prompts, self.decoding, self.seed = source, prompts, decoding, seed
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place].ids[0]))
        self.waiting = deque((place, range(at, min(n, at + ROWS))) for at in range(0, n, ROWS) for place in order)
        self.states: list[State] = []
        self.owners: list[int] = []  # the prompt of each answer, in the order in which they joined
        self.draws = torch.empty(0, decoding.max_tokens, dtype=torch.float64)

    def choose(self, time: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
        logits = mixed([state.last for state in self.states], self.source.parts)
        if self.source.shape is not None:
            logits = self.source.shape(logits)
        return pick(logits, self.draws[alive, time].to(logits.device), temperature=self.decoding.temperature)

    def fill(self, busy: int) -> int:
        """Read the next prompts, where enough answers have ended. Returns how many answers they get."""
        free = ROWS - busy
        if not self.waiting or busy and (free < ROWS * FREE or not all(one.memory.joinable for one in self.states)):
            return 0
        copies, chosen = self.waiting[0][1], list[int]()
        while self.waiting and self.waiting[0][1] == copies and len(copies) * (len(chosen) + 1) <= free:
            chosen.append(self.waiting.popleft()[0])
        if not chosen:
            return 0
        read = self._read([self.prompts[place].ids for place in chosen], copies=len(copies))
        if busy:
            for state, other in zip(self.states, read, strict=True):
                state.join(other)
        else:
            self.states[:] = read
        drawn = [
            draws_of(self.seed, self.prompts[place].id, copy, self.decoding.max_tokens)
            for place in chosen for copy in copies
        ]  # fmt: skip
        self.draws = torch.cat([self.draws, torch.stack(drawn)])
        self.owners += [place for place in chosen for _ in copies]
        return len(drawn)

    def _read(self, ids: Sequence[tuple[tuple[int, ...], ...]], *, copies: int) -> list[State]:
        """What each model makes of the prompts, in a memory of the kind that it has for the longest of all."""
        states = []
        for place, read in enumerate(self.source.reads):
            own = [every[place] for every in ids]
            longest = max(len(prompt.ids[place]) for prompt in self.prompts)
            more = longest - max(map(len, own)) + self.decoding.max_tokens
            states.append(read(own, more=more))
            states[-1].repeat(copies)
        return states


def draws_of(seed: int, prompt_id: str, copy: int, count: int) -> Tensor:
    """[count] uniform numbers that belong to answer `copy` of this prompt alone."""
    rng = torch.Generator().manual_seed(answer_seed(seed, prompt_id, copy))
    return torch.rand(count, generator=rng, dtype=torch.float64)


def pick(logits: Tensor, draws: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """One token a row by inverse CDF, and its log-probability. logits [rows, vocabulary], draws [rows] in [0, 1)."""
    scores = logits.float() if temperature in (0, 1) else logits.float() / temperature
    top = scores.amax(-1, keepdim=True)
    weights = (scores - top).exp_()
    token = scores.argmax(-1, keepdim=True) if temperature == 0 else _inverse_cdf(weights, draws)
    return token.squeeze(-1), (scores.gather(-1, token) - top - weights.sum(-1, keepdim=True).log()).squeeze(-1)


def _inverse_cdf(weights: Tensor, draws: Tensor) -> Tensor:
    """[rows, 1] column that each draw falls on, of [rows, columns] weights: first its block of columns, then its place.

    A whole cumulative sum would cost several times as much.
    """
    blocks = F.pad(weights, (0, -weights.shape[-1] % BLOCK)).unflatten(-1, (-1, BLOCK))
    ends = blocks.sum(-1).double().cumsum(-1)
    level = draws.to(ends).unsqueeze(-1) * ends[:, -1:]
    block = _first_above(ends, level)
    before = F.pad(ends, (1, 0)).gather(-1, block)
    inside = blocks[torch.arange(len(blocks), device=blocks.device), block.squeeze(-1)].double().cumsum(-1)
    return block * BLOCK + _first_above(inside, level - before)


def _first_above(ends: Tensor, level: Tensor) -> Tensor:
    """[rows, 1] first place whose cumulative sum is above the level; where rounding leaves none, the last that adds."""
    return torch.searchsorted(ends, level, right=True).minimum(torch.searchsorted(ends, ends[:, -1:].contiguous()))
