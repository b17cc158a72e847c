"""A reward model asked at every token: likely next tokens, weighed by the reward of the text that they would make.

Khanov et al. 2024, ARGS, arXiv:2402.01694. The reward model has only ever seen whole answers; what it says of their
beginnings is uncalibrated, which is what autoregressive rewards are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from operant.disk import write_json
from operant.engine.policy import LanguageModel, as_answer
from operant.engine.sampler import Sampled, draws_of, pick
from operant.engine.state import NEXT_LOGITS, PREFIX_REWARD, State, grow
from operant.errors import require
from operant.meter import charge
from operant.models.text import encode_prompt, same_tokens, stop_ids
from operant.schema import KL, Answer, Decoding, Point, Prompt

ROWS = 32  # answers in flight; each looks at `top_k` continuations


class Rewarding(Protocol):
    """A reward model with a head that can be read at any prefix."""

    head: Any
    tokenizer: Any

    def save(self, directory: Path) -> None: ...


class _Asked(NamedTuple):
    prompt: Prompt
    copy: int


class PrefixGuided:
    """Of the base's `top_k` next tokens one is drawn from softmax((log p + weight x reward) / temperature)."""

    def __init__(self, base: LanguageModel, scorer: Rewarding, *, top_k: int, weight: float):
        require(top_k >= 1, "top_k", top_k, "at least 1")
        same_tokens(base.tokenizer, scorer.tokenizer, what="the reward model")
        self.base, self.scorer, self.top_k, self.weight = base, scorer, top_k, weight

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n answers per prompt; the reward model reads `top_k` continuations at every token."""
        asked = [_Asked(prompt, copy) for prompt in prompts for copy in range(n)]
        drawn: list[Answer] = []
        for first in range(0, len(asked), ROWS):
            drawn += self._grow(asked[first : first + ROWS], decoding, seed)
        return [drawn[place * n : (place + 1) * n] for place in range(len(prompts))]

    @torch.no_grad()
    def _grow(self, asked: Sequence[_Asked], decoding: Decoding, seed: int) -> list[Answer]:
        tokenizer, stops = self.base.tokenizer, stop_ids(self.base.module, self.base.tokenizer)
        ids = [encode_prompt(tokenizer, one.prompt) for one in asked]
        pad, most = tokenizer.pad_token_id, decoding.max_tokens
        texts = State(self.base.module, NEXT_LOGITS, ids, pad=pad, more=most)
        rewards = State(self.scorer.head, PREFIX_REWARD, ids, pad=pad, more=most)
        draws = torch.stack([draws_of(seed, one.prompt.id, one.copy, most) for one in asked])

        def choose(time: Tensor, alive: Tensor) -> tuple[Tensor]:
            likely = texts.last.float().log_softmax(-1).topk(min(self.top_k, texts.last.shape[-1]))
            scored = likely.values + self.weight * self._rewards(rewards, likely.indices, stops)
            choice, _ = pick(scored, draws[alive, time].to(scored.device), temperature=decoding.temperature)
            return (likely.indices.gather(-1, choice.unsqueeze(-1)).squeeze(-1),)

        found = grow([texts, rewards], choose, rows=len(asked), most=most, stops=stops)
        tokens = [tuple(token for (token,) in row) for row in found]
        charge(sampled_tokens=sum(map(len, tokens)))
        return [as_answer(tokenizer, Sampled(row, None, row[-1] in stops)) for row in tokens]

    def _rewards(self, rewards: Any, tokens: Tensor, stops: frozenset[int]) -> Tensor:
        """[rows, choices] reward of the text with each token; one that ends it leaves it as it is."""
        charge(reward_calls=tokens.numel())
        ends = torch.isin(tokens, tokens.new_tensor(sorted(stops)))
        return torch.where(ends, rewards.last.unsqueeze(1), rewards.peek(tokens))

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Not kept: it would take the reward model's view of every continuation again."""
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="tokens outside the top k have probability 0; not computed")

    def points(self) -> list[Point]:
        """Half, all and twice the weight."""
        return [
            Point(
                knob="weight", value=self.weight * factor,
                generator=PrefixGuided(self.base, self.scorer, top_k=self.top_k, weight=self.weight * factor),
            )
            for factor in (0.5, 1.0, 2.0)
        ]  # fmt: skip

    def save(self, directory: Path) -> None:
        write_json(directory / "prefix.json", {"top_k": self.top_k, "weight": self.weight})
        self.base.save(directory / "base")
        (directory / "scorer").mkdir(parents=True, exist_ok=True)
        self.scorer.save(directory / "scorer")
