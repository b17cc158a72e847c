"""n answers per prompt: one prefill a prompt, then our own loop. Every answer draws from its own generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.engine.batch import collate
from operant.errors import require
from operant.meter import charge
from operant.models.flops import charge_forward
from operant.models.text import Encoded
from operant.schema import Decoding

ROWS = 256  # answers in flight


class Sampled(NamedTuple):
    tokens: tuple[int, ...]
    logps: tuple[float, ...]  # nats, of the distribution drawn from (greedy: of the model at temperature 1)
    stopped: bool


@torch.no_grad()
def sample(
    module: Any, prompts: Sequence[tuple[str, tuple[int, ...]]], *, n: int, decoding: Decoding, seed: int,
    eos: int, pad: int,
) -> list[list[Sampled]]:  # fmt: skip
    """n answers for each (prompt id, token ids). What else is in the batch changes nothing beyond rounding."""
    require(n >= 1, "n", n, "at least 1 answer per prompt")
    require(decoding.max_tokens >= 1, "max_tokens", decoding.max_tokens, "at least 1")
    require(0 <= decoding.temperature < math.inf, "temperature", decoding.temperature, "0 (greedy) or above")
    answers: list[list[Sampled]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index][1]))
    group = max(1, ROWS // n)
    for start in range(0, len(order), group):
        chosen = order[start : start + group]
        for first in range(0, n, ROWS):
            copies = range(first, min(n, first + ROWS))
            draws = [_draws(seed, prompts[index][0], copy, decoding.max_tokens) for index in chosen for copy in copies]
            ids = [prompts[index][1] for index in chosen]
            rows = _decode(module, ids, torch.stack(draws), decoding=decoding, eos=eos, pad=pad)
            for place, index in enumerate(chosen):
                answers[index] += rows[place * len(copies) : (place + 1) * len(copies)]
    charge(sampled_tokens=sum(len(answer.tokens) for many in answers for answer in many))
    return answers


def _draws(seed: int, prompt_id: str, copy: int, count: int) -> Tensor:
    """[count] uniform numbers that belong to answer `copy` of this prompt alone."""
    rng = torch.Generator().manual_seed(answer_seed(seed, prompt_id, copy))
    return torch.rand(count, generator=rng, dtype=torch.float64)


def pick(logits: Tensor, draws: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """One token a row by inverse CDF, and its log-probability. logits [rows, vocabulary], draws [rows] in [0, 1)."""
    if temperature == 0:
        logps = logits.float().log_softmax(-1)
        token = logps.argmax(-1)
    else:
        logps = (logits.float() / temperature).log_softmax(-1)
        cdf = logps.double().exp().cumsum(-1)
        token = torch.searchsorted(cdf, (draws.to(cdf) * cdf[:, -1]).unsqueeze(-1), right=True).squeeze(-1)
        token = token.clamp(max=logits.shape[-1] - 1)
    return token, logps.gather(-1, token.unsqueeze(-1)).squeeze(-1)


def _decode(
    module: Any, prompts: list[tuple[int, ...]], draws: Tensor, *, decoding: Decoding, eos: int, pad: int
) -> list[Sampled]:
    """Answers for prompts x copies, rows in that order; rows that have stopped leave the batch."""
    copies = len(draws) // len(prompts)
    batch = collate([Encoded(ids, ()) for ids in prompts], pad=pad, device=next(module.parameters()).device)
    state = _prefill(module, batch)
    state.repeat(copies)
    tokens: list[list[int]] = [[] for _ in draws]
    logps: list[list[float]] = [[] for _ in draws]
    alive = torch.arange(len(draws))
    for time in range(decoding.max_tokens):
        token, logp = pick(state.logits, draws[alive, time].to(state.logits.device), temperature=decoding.temperature)
        for row, one, nats in zip(alive.tolist(), token.tolist(), logp.tolist(), strict=True):
            tokens[row].append(one)
            logps[row].append(nats)
        going = (token != eos).nonzero().squeeze(-1)
        if time + 1 == decoding.max_tokens or not len(going):
            break
        if len(going) < len(alive):
            state.keep(going)
            alive, token = alive[going.cpu()], token[going]
        state.step(module, token)
    return [Sampled(tuple(row), tuple(nats), row[-1] == eos) for row, nats in zip(tokens, logps, strict=True)]


class _State:
    """Keys and values so far, what of them is real, and the logits for the next token."""

    def __init__(self, cache: Any, attend: Tensor, position: Tensor, logits: Tensor):
        self.cache, self.attend, self.position, self.logits = cache, attend, position, logits

    def repeat(self, copies: int) -> None:
        if copies > 1:
            self.cache.batch_repeat_interleave(copies)
            self.attend = self.attend.repeat_interleave(copies, 0)
            self.position = self.position.repeat_interleave(copies, 0)
            self.logits = self.logits.repeat_interleave(copies, 0)

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.attend, self.position = self.attend[rows], self.position[rows]

    def step(self, module: Any, token: Tensor) -> None:
        self.attend = torch.cat([self.attend, self.attend.new_ones(len(token), 1)], 1)
        self.position = self.position + 1
        rows, keys = self.attend.shape
        charge_forward(module, rows=rows, queries=1, keys=keys, head_rows=rows)
        out = module(
            input_ids=token.unsqueeze(1), attention_mask=self.attend, position_ids=self.position,
            past_key_values=self.cache, use_cache=True,
        )  # fmt: skip
        self.cache, self.logits = out.past_key_values, out.logits[:, -1]


def _prefill(module: Any, batch: Any) -> _State:
    rows, length = batch.ids.shape
    charge_forward(module, rows=rows, queries=length, keys=length, head_rows=rows)
    out = module(
        input_ids=batch.ids, attention_mask=batch.attend, position_ids=batch.positions, use_cache=True,
        logits_to_keep=1,
    )  # fmt: skip
    return _State(out.past_key_values, batch.attend, batch.positions[:, -1:], out.logits[:, -1])
