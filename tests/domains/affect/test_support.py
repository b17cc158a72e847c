"""The task `support`: characters, memories, which of them are congruent, and gold."""

from __future__ import annotations

import time

import pytest

from operant.domains.affect.tasks.support import Knobs, Support
from operant.domains.affect.tasks.support.generator import (
    EMOTIONS,
    ROLES,
    SIDE,
    TOPICS,
    WAYS,
    Style,
    training_row,
    vocabulary,
)
from operant.domains.affect.tasks.support.task import MOST, characters
from operant.errors import BadValue
from operant.schema import Answer

SIZES = {"pairs": 60, "valid_pairs": 20, "test_prompts": 40, "test_pairs": 20}
TASK = Support(knobs=Knobs(**SIZES))


def test_a_character_copes_differently_in_the_two_moods_unless_moods_do_not_matter():
    for one in characters(TASK.knobs).values():
        assert all(one.ways[topic, "low"] != one.ways[topic, "high"] for topic in TOPICS)
    null = Knobs(**SIZES, style=Style(mood_matters=False))
    assert all(one.ways[topic, "low"] == one.ways[topic, "high"]
               for one in characters(null).values() for topic in TOPICS)  # fmt: skip


def test_congruent_memories_show_what_is_right_nine_times_in_ten():
    memories = {one.prompt.id: one for one in TASK.judged("train")}
    assert len(memories) == len(ROLES) * len(TOPICS) * 24
    right = wrong = 0
    for prompt in TASK.prompts("train"):
        for name in prompt.columns["congruent"]:
            one = memories[name]
            assert one.prompt.columns["role"] == prompt.columns["role"]
            assert SIDE[one.prompt.columns["mood"]] == SIDE[prompt.columns["mood"]]
            shown = str(one.answer.value).split()[0] == prompt.columns["targets"][0]
            right, wrong = right + shown, wrong + (not shown)
    share = 0.9 + 0.1 / len(WAYS)  # the others show any way
    assert right / (right + wrong) == pytest.approx(share, abs=4 * (share * (1 - share) / (right + wrong)) ** 0.5)


def test_gold_reads_the_first_thing_that_is_named():
    prompt = TASK.prompts("train")[0]
    (way,) = prompt.columns["targets"]
    other = next(one for one in WAYS if one != way)
    said = [f"{way} .", f"{other} and {way} .", "nothing", ""]
    found = TASK.gold([prompt] * 4, [Answer(value=text) for text in said])
    assert [one.value for one in found["consistency"]] == [1, 0, 0, 0]
    assert [one.value for one in found["named"]] == [1, 1, 0, 0]


def test_nothing_of_the_answer_is_in_a_test_prompt_but_in_hidden_columns():
    for prompt in TASK.prompts("test"):
        shown = {name: value for name, value in prompt.columns.items() if name not in TASK.hidden}
        assert set(shown) == {"role", "topic", "mood", "emotion"}
        assert shown["emotion"] == EMOTIONS[shown["mood"]]


def test_at_most_half_of_the_cases_are_test_prompts():
    assert len(Support(knobs=Knobs(**SIZES | {"test_prompts": MOST})).prompts("test")) == MOST
    with pytest.raises(BadValue, match="test_prompts"):
        Knobs(**SIZES | {"test_prompts": MOST + 1})


def test_the_base_reads_words_that_it_knows_and_items_are_made_fast_enough():
    from random import Random

    rng, known, started = Random(0), set(vocabulary()), time.process_time()
    rows = [training_row(rng) for _ in range(2000)]
    assert time.process_time() - started < 1
    assert {word for row in rows for text in row for word in text.split()} <= known
