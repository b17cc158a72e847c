"""The task `reactions`: readers' words, how quality decides them, and what stays as in the reviews."""

from __future__ import annotations

import pytest

from operant.domains.text.tasks.reactions import Knobs, Reactions
from operant.domains.text.tasks.reactions.readers import DISSATISFIED, SATISFIED, TURN
from operant.domains.text.tasks.reactions.task import satisfaction
from operant.domains.text.tasks.reviews import Reviews
from operant.domains.text.tasks.reviews.grammar import vocabulary

TASK = Reactions(knobs=Knobs(pairs=200, valid_pairs=20, test_prompts=20, test_pairs=20))


def test_readers_use_words_that_the_base_has_read():
    known = set(vocabulary())
    assert all(set(text.split()) <= known for text in (*SATISFIED, *DISSATISFIED, TURN))
    assert len(set(SATISFIED) | set(DISSATISFIED)) == 20


def test_satisfaction_by_hand():
    # sigmoid(2 x (0.9 - 0.9)) = 1/2, and one unit of quality more: 1 / (1 + e^-2)
    assert satisfaction(0.9, Knobs()) == 0.5
    assert satisfaction(1.9, Knobs()) == pytest.approx(1 / (1 + 2.718281828459045**-2))


def test_better_reviews_have_kinder_readers():
    rows = TASK.judged("train")
    assert len(rows) == 4 * 200
    quality = [one.value for one in TASK.gold([row.prompt for row in rows], [row.answer for row in rows])["quality"]]
    kind = [row.prompt.columns["follow_up"] in SATISFIED for row in rows]
    means = [
        sum(q for q, k in zip(quality, kind, strict=True) if k is side) / kind.count(side) for side in (True, False)
    ]
    assert means[0] > means[1] + 1
    expected = sum(satisfaction(value, TASK.knobs) for value in quality)
    spread = sum(p * (1 - p) for p in (satisfaction(value, TASK.knobs) for value in quality)) ** 0.5
    assert abs(sum(kind) - expected) < 4 * spread


def test_nothing_is_rated_and_no_test_prompt_is_read():
    rows = TASK.judged("train")
    assert all(row.rating is None and row.label is None for row in rows)
    tested = {prompt.id for prompt in TASK.prompts("test")} | {pair.prompt.id for pair in TASK.pairs("test")}
    assert not tested & {row.prompt.id for row in rows}


def test_prompts_and_pairs_are_those_of_the_reviews():
    knobs = {"pairs": 20, "valid_pairs": 8, "test_prompts": 20, "test_pairs": 20}
    plain = Reviews(knobs=Reviews().knobs.__class__(**knobs))
    ours = Reactions(knobs=Knobs(**knobs))
    assert ours.prompts("test") == plain.prompts("test") and ours.pairs("test") == plain.pairs("test")
    assert ours.resized(pairs=5, test_prompts=None).knobs.pairs == 5
