"""A learnt reward model as a Scorer: the same score whatever the batch size, the padding or the reload."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.data.cut import cut_ids
from operant.disk import read_json, write_json
from operant.engine.reward import all_rewards
from operant.models.causal import load_tokenizer
from operant.models.heads import load_reward_head
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Answer, Prompt, Scale, Score


def win_probability(left: float | None, right: float | None) -> float | None:
    """Bradley-Terry: sigmoid of the difference; None where either is unknown."""
    if left is None or right is None:
        return None
    gap = left - right
    return 1 / (1 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1 + math.exp(gap))


class RewardModel:
    """One scalar per answer, on the logit scale of Bradley-Terry unless the model calls itself a regression."""

    def __init__(self, head: Any, tokenizer: Any, *, max_length: int):
        self.head, self.tokenizer, self.max_length = head, tokenizer, max_length
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
        ours, theirs = self.score(prompts, left), self.score(prompts, right)
        return [win_probability(one.value, two.value) for one, two in zip(ours, theirs, strict=True)]

    def save(self, directory: Path) -> None:
        """AutoModelForSequenceClassification, tokenizer, and the length that answers are cut to."""
        self.head.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)
        write_json(directory / "operant_reward.json", {"max_length": self.max_length})

    @classmethod
    def load(cls, directory: Path, *, max_length: int = 512) -> RewardModel:
        settings = directory / "operant_reward.json"
        length = read_json(settings)["max_length"] if settings.is_file() else max_length
        return cls(load_reward_head(directory), load_tokenizer(directory), max_length=length)
