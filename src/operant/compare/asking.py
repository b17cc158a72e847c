"""What the default ceiling is where there are questions and nothing to imitate: rounds of a policy's own answers."""

from __future__ import annotations

from typing import Any

from operant.compare.options import Options
from operant.engine.rollouts import Asked, rollout_flops
from operant.models.text import Encoded, encode_prompt
from operant.training.pairs import pass_flops

ANSWERS = 8  # to each question


def asking_flops(task: Any, base: Any, options: Options) -> float:
    """FLOPs of drawing 8 answers to every training question and learning from them once, none of them ending early."""
    asked = [Asked(prompt, encode_prompt(base.tokenizer, prompt)) for prompt in task.prompts("train")]
    rows = [Encoded(one.ids, (0,) * options.answer_tokens) for one in asked for _ in range(ANSWERS)]
    if not asked:
        return 0.0
    drawing = sum(rollout_flops(base.module, [one], n=ANSWERS, max_tokens=options.answer_tokens) for one in asked)
    groups = [rows[start : start + ANSWERS] for start in range(0, len(rows), ANSWERS)]
    return drawing + sum(pass_flops(base.module, group) for group in groups)
