"""Answers drawn from the likeliest tokens alone: those that together hold a share `top_p` of the probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from operant.engine.mix import Part
from operant.engine.policy import as_answer
from operant.engine.rollouts import Asked
from operant.engine.sampler import Asked as Drawn
from operant.engine.sampler import Source, sample_from
from operant.errors import require
from operant.models.text import stop_ids
from operant.schema import Answer, Decoding


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


def nucleus_answers(
    module: Any, tokenizer: Any, asked: Sequence[Asked], *, n: int, how: Nucleus, seed: int
) -> list[list[Answer]]:  # fmt: skip
    """n answers for each prompt, one prefill a prompt; what else is asked changes nothing beyond rounding.

    Their `logps` are those of what was drawn from.
    """
    module.eval()

    def shape(logits: Tensor) -> Tensor:
        return nucleus(logits.float() / how.temperature, top_p=how.top_p)

    drawn = sample_from(
        Source([Part(module)], shape), [Drawn(one.prompt.id, (one.ids,)) for one in asked], n=n,
        decoding=Decoding(max_tokens=how.max_tokens), seed=seed, stops=stop_ids(module, tokenizer),
        pad=tokenizer.pad_token_id,
    )  # fmt: skip
    return [[as_answer(tokenizer, one) for one in many] for many in drawn]
