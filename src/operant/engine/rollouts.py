"""Answers that a policy samples to learn from: one prefill a prompt, their log-probabilities kept as they were drawn.

They are drawn at temperature 1, where what is drawn from is the policy itself: a later ratio to them is then the
policy's own, and nobody computes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from operant.engine.memory import memory_of
from operant.engine.policy import as_answer
from operant.engine.recompute import settle
from operant.engine.sampler import sample
from operant.models.flops import price_of
from operant.models.text import Encoded, stop_ids
from operant.schema import Answer, Decoding, Prompt


class Asked(NamedTuple):
    """A prompt, and the ids that the policy reads for it."""

    prompt: Prompt
    ids: tuple[int, ...]


class Rollout(NamedTuple):
    """One sampled answer."""

    row: Encoded
    old: tuple[float, ...]  # log-probability of each token as it was drawn, nats
    answer: Answer  # as a scorer reads it


def rollouts(
    module: Any, tokenizer: Any, asked: Sequence[Asked], *, n: int, max_tokens: int, seed: int
) -> list[list[Rollout]]:  # fmt: skip
    """n answers to each prompt. The same seed, weights and prompts give the same answers."""
    module.eval()  # layers that recompute while they train keep no keys and values
    drawn = sample(
        module, [(one.prompt.id, one.ids) for one in asked], n=n, decoding=Decoding(max_tokens=max_tokens), seed=seed,
        stops=stop_ids(module, tokenizer), pad=tokenizer.pad_token_id,
    )  # fmt: skip
    settle(module)
    return [
        [Rollout(Encoded(one.ids, row.tokens), row.logps or (), as_answer(tokenizer, row)) for row in many]
        for one, many in zip(asked, drawn, strict=True)
    ]


def rollout_flops(module: Any, asked: Sequence[Asked], *, n: int, max_tokens: int) -> float:
    """The most that `rollouts` may cost: every prompt as long as the longest, no answer that ends early."""
    length = max(len(one.ids) for one in asked)
    anew = memory_of(module, [(0,) * length], pad=0, more=max_tokens).anew
    price, rows = price_of(module), len(asked) * n
    total = price.of(tokens=len(asked) * length, attended=len(asked) * length**2, head_rows=len(asked))
    for so_far in range(length + 1, length + max_tokens):
        read = rows * so_far if anew else rows
        total += price.of(tokens=read, attended=read * so_far, head_rows=rows)
    return total
