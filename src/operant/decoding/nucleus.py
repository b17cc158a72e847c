"""Answers drawn from the likeliest tokens alone: those that together hold a share `top_p` of the probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from operant.engine.policy import as_answer
from operant.engine.rollouts import Asked
from operant.engine.sampler import ROWS, Sampled, draws_of, pick
from operant.engine.state import NEXT_LOGITS, State, grow
from operant.errors import require
from operant.meter import charge
from operant.models.text import stop_ids
from operant.schema import Answer


@dataclass(frozen=True, kw_only=True)
class Nucleus:
    """How answers are drawn: the temperature comes first, then the cut."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "at least 1")
        require(0 < self.temperature < math.inf, "temperature", self.temperature, "above 0")
        require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0 and at most 1")


def nucleus(logits: Tensor, *, top_p: float) -> Tensor:
    """The same with -inf for tokens behind those that hold `top_p` of the probability; the likeliest always stays.

    Source: Holtzman et al. 2019, arXiv:1904.09751, sec. 3.1.
    """
    if top_p == 1:
        return logits
    ranked, order = logits.float().softmax(-1).sort(dim=-1, descending=True, stable=True)
    behind = ranked.cumsum(-1) - ranked >= top_p  # what stands before a token is enough already
    return logits.masked_fill(torch.zeros_like(behind).scatter(-1, order, behind), -math.inf)


@torch.no_grad()
def nucleus_answers(
    module: Any, tokenizer: Any, asked: Sequence[Asked], *, n: int, how: Nucleus, seed: int
) -> list[list[Answer]]:
    """n answers for each prompt, one prefill a prompt; what else is asked changes nothing beyond rounding.

    Their `logps` are those of what was drawn from.
    """
    require(1 <= n <= ROWS, "n", n, f"at least 1 answer per prompt and at most {ROWS}")
    module.eval()
    stops, pad = stop_ids(module, tokenizer), tokenizer.pad_token_id
    found: list[list[Answer]] = [[] for _ in asked]
    order = sorted(range(len(asked)), key=lambda place: len(asked[place].ids))
    for begin in range(0, len(order), ROWS // n):
        places = order[begin : begin + ROWS // n]
        some = [asked[place] for place in places]
        draws = torch.stack([draws_of(seed, one.prompt.id, copy, how.max_tokens) for one in some for copy in range(n)])
        state = State(module, NEXT_LOGITS, [one.ids for one in some], pad=pad, more=how.max_tokens)
        rows = _grown(state, draws, n=n, how=how, stops=stops)
        for at, place in enumerate(places):
            found[place] = [as_answer(tokenizer, row) for row in rows[at * n : (at + 1) * n]]
    charge(sampled_tokens=sum(len(one.tokens or ()) for many in found for one in many))
    return found


def _grown(state: State, draws: Tensor, *, n: int, how: Nucleus, stops: frozenset[int]) -> list[Sampled]:
    state.repeat(n)

    def choose(time: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
        logits = nucleus(state.last.float() / how.temperature, top_p=how.top_p)
        return pick(logits, draws[alive, time].to(logits.device), temperature=1.0)

    found = grow([state], choose, rows=len(draws), most=draws.shape[1], stops=stops)
    rows = [tuple(zip(*row, strict=True)) for row in found]
    return [Sampled(tokens, logps, tokens[-1] in stops) for tokens, logps in rows]
