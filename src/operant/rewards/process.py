"""A process reward model as a Scorer: how sure it is of every step, and of the whole by its least, product or last."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operant.data.cut import cut_ids
from operant.disk import read_json, write_json
from operant.engine.step_scores import Stepped, all_steps
from operant.errors import UnknownName
from operant.models.adapters import merge
from operant.models.causal import load_tokenizer, usable_padding
from operant.models.step_heads import load_step_head
from operant.models.steps import STEP_END, closed, read_at, step_ends
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.rewards.model import compare_by_score
from operant.schema import Answer, Prompt, Scale, Score

SETTINGS = "operant_process.json"
WHOLE: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "product": math.prod,
    "last": lambda steps: steps[-1],
}


class ProcessReward:
    """The chance that each step is right; `how` makes one number of them: min, product or last.

    Its own tokenizer reads prompt and answer as text, so that it may come from another model.
    """

    scale: Scale = "probability"

    def __init__(
        self, head: Any, tokenizer: Any, *, max_length: int, step_end: str = STEP_END, how: str = "min",
        adapter: Any = None,
    ):  # fmt: skip
        if how not in WHOLE:
            raise UnknownName("value of a whole answer", how, WHOLE)
        self.head, self.tokenizer, self.adapter = head, tokenizer, adapter
        self.max_length, self.step_end, self.how = max_length, step_end, how

    def steps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        """Of every answer, 0 to 1 for each of its steps."""
        items = [self._read(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return all_steps(self.head, items, pad=self.tokenizer.pad_token_id)

    def _read(self, prompt: Prompt, answer: Answer) -> Stepped:
        plain = Answer(value=answer.value, finish=answer.finish)
        kept = cut_ids(encode_prompt(self.tokenizer, prompt), encode_answer(self.tokenizer, plain), self.max_length)
        row = closed(self.tokenizer, Encoded(tuple(kept.prompt), tuple(kept.answer)))
        return Stepped(row, read_at(row, step_ends(self.tokenizer, row.answer, self.step_end)))

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        if not prompts:
            return []
        return [
            Score(value=WHOLE[self.how](steps), parts={f"step {k + 1}": value for k, value in enumerate(steps)})
            for steps in self.steps(prompts, answers)
        ]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid of the difference: an order, not a probability."""
        return compare_by_score(self, prompts, left, right)

    def save(self, directory: Path) -> None:
        """A Hugging Face token classifier with plain weights, its tokenizer, and how steps are told apart."""
        head = self.head if self.adapter is None else merge(copy.deepcopy(self.adapter))
        head.save_pretrained(directory)
        self.tokenizer.save_pretrained(directory)
        about = {"max_length": self.max_length, "step_end": self.step_end, "how": self.how}
        write_json(directory / SETTINGS, about)

    @classmethod
    def load(cls, directory: Path, *, max_length: int = 512, step_end: str = STEP_END) -> ProcessReward:
        """What `save` wrote, or any token classifier with one label, or with two of which the second means right."""
        about: dict[str, Any] = {"max_length": max_length, "step_end": step_end}
        if (directory / SETTINGS).is_file():
            about = read_json(directory / SETTINGS)
        head = load_step_head(directory)
        return cls(head, usable_padding(load_tokenizer(directory), head), **about)
