"""The task: themes asked for, pieces to learn from."""

import pytest

from operant.domains.music.notes import first_theme
from operant.domains.music.tasks.melody.task import Knobs, Melodies
from operant.errors import NotApplicable, OperantError

TASK = Melodies(knobs=Knobs(pieces=20, valid=6, test=8))


def test_a_prompt_is_the_first_theme_of_its_piece():
    for one in TASK.judged("train"):
        assert one.prompt.content == first_theme(one.answer.value)


def test_splits_are_by_piece_and_test_pieces_are_the_same_for_all_seeds():
    other = Melodies(seed=1, knobs=TASK.knobs)
    assert other.prompts("test") == TASK.prompts("test")
    assert other.prompts("train") != TASK.prompts("train")
    themes = {split: {str(one.content) for one in TASK.prompts(split)} for split in ("train", "test")}
    assert len(themes["test"] & themes["train"]) <= 1  # two short themes may happen to be alike


def test_pieces_of_the_task_have_their_theme_and_no_other():
    gold = TASK.gold(TASK.prompts("test"), [one.answer for one in TASK.judged("test")])
    means = {name: sum(score.value for score in scores) / len(scores) for name, scores in gold.items()}
    assert means["theme"] > means["other_theme"] + 0.2


def test_test_pieces_are_not_verified():
    with pytest.raises(OperantError, match="a test prompt of melody"):
        TASK.verify(TASK.prompts("test")[:1], [TASK.judged("test")[0].answer])
    with pytest.raises(NotApplicable, match="melody has no documents"):
        TASK.documents("train")
