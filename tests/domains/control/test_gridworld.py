"""The task: what its worlds share, and what nobody may see."""

import pytest

from operant.domains.control.play import Players
from operant.domains.control.tasks.gridworld.task import WORLDS, Gridworld, Knobs
from operant.errors import NotApplicable, OperantError
from operant.schema import Decoding

TASK = Gridworld(knobs=Knobs(train=40, valid=30, test=30))


def of(world, split="train", task=TASK):
    return [prompt for prompt in task.prompts(split) if prompt.columns["world"] == world]


def test_each_world_shares_what_it_says():
    plans = {name: {one.content.rows for one in of(name)} for name in WORLDS}
    goals = {name: {(one.content.rows, one.content.goal) for one in of(name)} for name in WORLDS}
    assert (len(plans["same"]), len(goals["same"])) == (1, 1)
    assert len(plans["shared"]) == 4 < len(goals["shared"])
    assert len(plans["new"]) == 40


def test_the_same_world_is_the_same_in_the_test_and_a_new_one_is_not():
    trained = {name: {one.content for one in of(name)} for name in WORLDS}
    assert {one.content for one in of("same", "test")} == trained["same"]
    assert not {one.content for one in of("new", "test")} & trained["new"]


def test_goals_are_far_and_can_be_reached():
    for prompt in TASK.prompts("train"):
        world = WORLDS[prompt.columns["world"]]
        assert world.across * world.side <= prompt.columns["distance"] < world.horizon


def test_training_layouts_are_drawn_anew_for_every_seed_and_test_layouts_are_not():
    other = Gridworld(seed=1, knobs=TASK.knobs)
    assert of("new", task=other) != of("new")
    assert other.prompts("test") == TASK.prompts("test")


def test_ids_are_different():
    ids = [one.id for split in ("train", "valid", "test") for one in TASK.prompts(split)]
    assert len(set(ids)) == len(ids)


def test_a_random_walker_rarely_gets_there():
    prompts = Gridworld(knobs=Knobs(test=300)).prompts("test")
    walked = [many[0] for many in Players({}).answer(prompts, n=1, decoding=Decoding(), seed=0)]
    scores = [score.value for score in TASK.gold(prompts, walked)["success"]]
    assert sum(scores) / len(scores) < 0.1


def test_training_episodes_can_be_verified_and_test_episodes_cannot():
    for split in ("valid", "test"):
        prompts = TASK.prompts(split)[:3]
        walked = [many[0] for many in TASK.base().answer(prompts, n=1, decoding=Decoding(), seed=0)]
        if split == "test":
            with pytest.raises(OperantError, match="test episode"):
                TASK.verify(prompts, walked)
        else:
            assert [one.value for one in TASK.verify(prompts, walked)] == [
                one.value for one in TASK.gold(prompts, walked)["success"]
            ]


def test_what_the_task_has_not_is_said():
    with pytest.raises(NotApplicable, match="gridworld has no pairs .* it has layouts"):
        TASK.pairs("train")
