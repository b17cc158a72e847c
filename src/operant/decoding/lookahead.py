"""Alignment as a search over tokens: what a reward says of where a token leads, not of where it stands.

Huang et al. 2024, DeAL, arXiv:2402.06147. A candidate is worth log p(text so far) + weight x reward(text so far and a
greedy look-ahead behind it). The look-ahead is never kept: it only tells.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from operant.decoding.search import Node, beam, best, search
from operant.disk import write_json
from operant.engine.policy import LanguageModel, as_answer
from operant.engine.sampler import Sampled
from operant.engine.state import NEXT_LOGITS, State, grow
from operant.errors import require
from operant.meter import charge
from operant.models.text import encode_prompt, stop_ids
from operant.schema import KL, Answer, Decoding, Point, Prompt

ROWS = 256  # candidates looked at in one batch
Reward = Callable[[Sequence[Prompt], Sequence[Answer]], Sequence[float]]  # of answers, some of them unfinished


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How far the search looks."""

    weight: float  # of the reward, per nat
    top_k: int = 8  # next tokens that are tried
    look: int = 8  # greedy tokens behind each of them, at most
    beams: int = 1  # texts that are kept
    per_token: bool = False  # log p as the mean over tokens; the paper's is the sum
    shortest: int = 1  # tokens before an answer may end: an early end games rewards

    def __post_init__(self) -> None:
        require(math.isfinite(self.weight), "weight", self.weight, "a finite number")
        require(min(self.top_k, self.beams) >= 1, "top_k or beams", (self.top_k, self.beams), "at least 1")
        require(min(self.look, self.shortest) >= 0, "look or shortest", (self.look, self.shortest), "at least 0")


class _Text(NamedTuple):
    """A text so far, its log-probability, and the row in which the model remembers all of it but the last token."""

    tokens: tuple[int, ...]
    logp: float
    row: int
    prompt: Prompt


_Place: TypeAlias = "Node[_Text]"


class LookAhead:
    """The base, searched: a deterministic answer to each prompt. `reward` may be a program or a learnt model."""

    def __init__(self, base: LanguageModel, reward: Reward, how: Looking, *, save_reward: Callable[[Path], None]):
        self.base, self.reward, self.how, self.save_reward = base, reward, how, save_reward

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """The answer that the search finds, n times: neither the seed nor a temperature enters."""
        assert isinstance(seed, int)
        together = max(1, ROWS // (self.how.beams * self.how.top_k))
        found: list[Answer] = []
        for first in range(0, len(prompts), together):
            found += _Search(self, prompts[first : first + together], decoding.max_tokens).answers()
        return [[one] * n for one in found]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """There are none: the search draws nothing."""
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="a search answers in one way alone")

    def at(self, weight: float) -> LookAhead:
        how = Looking(**{**vars(self.how), "weight": weight})
        return LookAhead(self.base, self.reward, how, save_reward=self.save_reward)

    def points(self) -> list[Point]:
        """No weight, half, all and twice of it."""
        weights = [self.how.weight * factor for factor in (0.0, 0.5, 1.0, 2.0)]
        return [Point(knob="weight", value=weight, generator=self.at(weight)) for weight in weights]

    def save(self, directory: Path) -> None:
        write_json(directory / "lookahead.json", vars(self.how))
        self.base.save(directory / "base")
        self.save_reward(directory / "reward")


class _Search:
    """Trees of some prompts, grown together."""

    def __init__(self, owner: LookAhead, prompts: Sequence[Prompt], most: int):
        self.owner, self.how, self.most, base = owner, owner.how, most, owner.base
        self.tokenizer = base.tokenizer
        self.stops = stop_ids(base.module, base.tokenizer)
        ids = [encode_prompt(base.tokenizer, prompt) for prompt in prompts]
        self.state = State(
            base.module, NEXT_LOGITS, ids, pad=base.tokenizer.pad_token_id, more=most + self.how.look + 1
        )
        self.roots: list[_Place] = [Node(_Text((), 0.0, row, prompt)) for row, prompt in enumerate(prompts)]

    @torch.no_grad()
    def answers(self) -> list[Answer]:
        search(self.roots, select=beam(self.how.beams), expand=self.expand, evaluate=self.evaluate)
        texts = [best(root).item.tokens for root in self.roots]
        charge(sampled_tokens=sum(map(len, texts)))
        return [self.read(tokens) for tokens in texts]

    def read(self, tokens: tuple[int, ...]) -> Answer:
        return as_answer(self.tokenizer, Sampled(tokens, None, tokens[-1] in self.stops))

    def expand(self, nodes: Sequence[_Place]) -> list[list[tuple[_Text, bool]]]:
        """The likeliest next tokens of every text, which the model now remembers in the order of the nodes."""
        if nodes[0].parent is not None:
            self.state.keep(torch.tensor([node.item.row for node in nodes]))
            self.state.step(torch.tensor([node.item.tokens[-1] for node in nodes]))
        logps = self.state.last.float().log_softmax(-1)
        if len(nodes[0].item.tokens) < self.how.shortest:
            logps[:, sorted(self.stops)] = -math.inf
        likely = logps.topk(min(self.how.top_k, logps.shape[-1]))
        return [
            [self._child(node.item, row, *one) for one in zip(tokens, values, strict=True) if one[1] > -math.inf]
            for row, (node, tokens, values) in enumerate(
                zip(nodes, likely.indices.tolist(), likely.values.tolist(), strict=True)
            )
        ]

    def _child(self, text: _Text, row: int, token: int, logp: float) -> tuple[_Text, bool]:
        tokens = (*text.tokens, token)
        ended = token in self.stops or len(tokens) == self.most
        return _Text(tokens, text.logp + logp, row, text.prompt), ended

    def evaluate(self, nodes: Sequence[_Place]) -> list[float]:
        """log p of each text, plus the weighted reward of where it leads."""
        futures = self._futures(nodes)
        answers = [self.read(node.item.tokens + more) for node, more in zip(nodes, futures, strict=True)]
        rewards = _known(self.owner.reward([node.item.prompt for node in nodes], answers))
        return [
            node.item.logp / (len(node.item.tokens) if self.how.per_token else 1) + self._weighted(reward)
            for node, reward in zip(nodes, rewards, strict=True)
        ]

    def _weighted(self, reward: float) -> float:
        return self.how.weight * reward if self.how.weight else 0.0

    def _futures(self, nodes: Sequence[_Place]) -> list[tuple[int, ...]]:
        """A greedy continuation of every text that has not ended."""
        found: list[tuple[int, ...]] = [()] * len(nodes)
        going = [place for place, node in enumerate(nodes) if not node.ended]
        if not going or not self.how.look or not self.how.weight:
            return found
        ahead = self.state.fork(torch.tensor([nodes[place].item.row for place in going]))
        ahead.step(torch.tensor([nodes[place].item.tokens[-1] for place in going]))
        rows = grow([ahead], _greedy([ahead]), rows=len(going), most=self.how.look, stops=self.stops)
        for place, row in zip(going, rows, strict=True):
            found[place] = tuple(token for (token,) in row)[: self.most - len(nodes[place].item.tokens)]
        return found


def _greedy(states: Sequence[State]) -> Callable[[Tensor, Tensor], tuple[Tensor]]:
    return lambda *_: (states[0].last.argmax(-1),)


def _known(rewards: Sequence[float]) -> list[float]:
    """Rewards that are no numbers count as the worst there is, with a warning."""
    wrong = sum(not math.isfinite(one) for one in rewards)
    if wrong:
        warnings.warn(f"{wrong} of {len(rewards)} rewards are not finite; their texts are not chosen", stacklevel=2)
    return [one if math.isfinite(one) else -math.inf for one in rewards]
