"""A ceiling for questions that come with nothing to imitate."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tiny
from operant.compare.asking import asking_flops
from operant.compare.feedback import ceiling_of
from operant.engine.rollouts import Asked, rollout_flops
from operant.errors import NotApplicable
from operant.models.text import Encoded, encode_prompt
from operant.training.pairs import pass_flops


class Questions(tiny.Blind):
    """Prompts, and nothing that was said of answers."""

    def pairs(self, split, **_):
        raise NotApplicable(f"nothing in {split}")

    judged = documents = pairs

    def prompts(self, split):
        return tiny.Blind(knobs=tiny.KNOBS).prompts(split)[:2]


def test_three_epochs_of_eight_answers_to_each_question():
    task, base = Questions(knobs=tiny.KNOBS), tiny.base()
    expected = 0.0
    for prompt in task.prompts("train"):
        ids = encode_prompt(base.tokenizer, prompt)
        expected += rollout_flops(base.module, [Asked(prompt, ids)], n=8, max_tokens=6)
        expected += pass_flops(base.module, [Encoded(ids, (0,) * 6)] * 8)
    ceiling = ceiling_of(task, base, tiny.OPTIONS)
    assert ceiling.flops == pytest.approx(3 * expected)
    assert ceiling.labels == 0
    longer = replace(tiny.OPTIONS, max_tokens=12)
    assert asking_flops(task, base, longer) > 1.5 * asking_flops(task, base, tiny.OPTIONS)
