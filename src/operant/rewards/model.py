"""A learnt reward model as a Scorer: the same score whatever the batch size, the padding or the reload."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from operant.data.cut import cut_ids
from operant.disk import read_json, write_json
from operant.engine.reward import all_rewards
from operant.models.adapters import adapter_base, is_adapter, load_adapter, merge, save_adapter, tokenizer_source
from operant.models.causal import load_causal, load_tokenizer, usable_padding
from operant.models.heads import load_reward_head, new_reward_head
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Answer, Prompt, Scale, Score, Scorer

SETTINGS = "operant_reward.json"


def win_probability(left: float | None, right: float | None) -> float | None:
    """Bradley-Terry: sigmoid of the difference; None where either is unknown."""
    if left is None or right is None:
        return None
    gap = left - right
    return 1 / (1 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1 + math.exp(gap))


def compare_by_score(
    scorer: Scorer, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]
) -> list[float | None]:
    """P(left is better) = sigmoid(score(left) - score(right)); None where either is unknown."""
    ours, theirs = scorer.score(prompts, left), scorer.score(prompts, right)
    return [win_probability(one.value, two.value) for one, two in zip(ours, theirs, strict=True)]


class RewardModel:
    """One scalar per answer, on the logit scale of Bradley-Terry unless the model calls itself a regression."""

    def __init__(self, head: Any, tokenizer: Any, *, max_length: int, adapter: Any = None):
        self.head, self.tokenizer, self.max_length, self.adapter = head, tokenizer, max_length, adapter
        self.scale: Scale = "raw" if head.config.problem_type == "regression" else "logit"

    def encode(self, prompt: Prompt, answer: Answer) -> Encoded:
        """Ids as they were cut in training; the answer's text is read, so any generator's answer can be scored."""
        plain = Answer(value=answer.value, finish=answer.finish)
        kept = cut_ids(encode_prompt(self.tokenizer, prompt), encode_answer(self.tokenizer, plain), self.max_length)
        return Encoded(tuple(kept.prompt), tuple(kept.answer))

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        rows = [self.encode(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        if not rows:
            return []
        return [
            Score(value=value) if math.isfinite(value) else Score(value=None, why=f"the reward model gave {value}")
            for value in all_rewards(self.head, self.tokenizer, rows)
        ]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """P(left is better) = sigmoid(r(left) - r(right))."""
        return compare_by_score(self, prompts, left, right)

    def merged(self) -> RewardModel:
        """The same scores from plain weights; itself where there is no adapter."""
        if self.adapter is None:
            return self
        return RewardModel(merge(copy.deepcopy(self.adapter)), self.tokenizer, max_length=self.max_length)

    def save(self, directory: Path) -> None:
        """AutoModelForSequenceClassification or a PEFT directory, the tokenizer, and the length answers are cut to."""
        if self.adapter is None:
            self.head.save_pretrained(directory)
            self.tokenizer.save_pretrained(directory)
        else:
            save_adapter(self.adapter, self.tokenizer, directory)
        write_json(directory / SETTINGS, {"max_length": self.max_length})

    @classmethod
    def load(cls, directory: Path, *, max_length: int = 512) -> RewardModel:
        """What `save` wrote, or any sequence classifier with one label."""
        length = read_json(directory / SETTINGS)["max_length"] if (directory / SETTINGS).is_file() else max_length
        if not is_adapter(directory):
            head = load_reward_head(directory)
            return cls(head, usable_padding(load_tokenizer(directory), head), max_length=length)
        tokenizer = load_tokenizer(tokenizer_source(directory))
        head = new_reward_head(load_causal(adapter_base(directory)), tokenizer, rng=torch.Generator())
        adapter = load_adapter(head, directory)  # which brings the score layer with it
        return cls(head, usable_padding(tokenizer, head), max_length=length, adapter=adapter)
