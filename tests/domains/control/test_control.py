"""Layouts, grids, episodes and their doors."""

import json
from random import Random

import numpy as np
import pytest

from operant.domains.control.grid import RADIUS, VIEW, Grids
from operant.domains.control.layout import Layout, rooms
from operant.domains.control.metrics import measured
from operant.domains.control.play import Players, chosen, play, uniform
from operant.domains.control.represent import Episode, dump, load, properties, show
from operant.errors import BadValue, UnknownName
from operant.meter import metered
from operant.schema import Answer, Decoding, Prompt

#   S . #
#   # . .
#   . . G
SMALL = Layout(rows=("..#", "#..", "..."), start=(0, 0), goal=(2, 2))
RIGHT, DOWN, LEFT = 3, 1, 2


def grids(num=1, horizon=6, **settings):
    return Grids([SMALL], num=num, horizon=horizon, **settings)


def test_distances_are_those_of_shortest_paths():
    # (0,0) -> (0,1) -> (1,1) -> (1,2) or (2,1) -> (2,2)
    assert SMALL.distances()[0, 0] == 4
    assert SMALL.distances()[2, 2] == 0
    assert len(SMALL.distances()) == 7  # every free cell is reached


@pytest.mark.parametrize("seed", range(20))
def test_all_rooms_are_joined(seed):
    rows = rooms(Random(seed), across=3, side=3, extra_doors=0.0)
    layout = Layout(rows=rows, start=(0, 0), goal=(0, 0))
    assert len(rows) == 3 * 4 - 1
    assert len(layout.distances()) == sum(row.count(".") for row in rows) == 9 * 9 + 8  # rooms, doors of a tree


def test_more_doors_open_all_walls():
    rows = rooms(Random(0), across=3, side=3, extra_doors=1.0)
    assert sum(row.count(".") for row in rows) == 9 * 9 + 12


def test_a_walk_to_the_goal_is_paid_once_and_begins_anew():
    env = grids()
    env.reset()
    steps = [env.step(np.array([action])) for action in (RIGHT, DOWN, DOWN, RIGHT)]
    assert [float(step.rewards[0]) for step in steps] == [0, 0, 0, 1]
    assert [bool(step.terminated[0]) for step in steps] == [False, False, False, True]
    assert steps[-1].info["cell"].tolist() == [[2, 2]]
    here = steps[-1].observations[0, -2 * SMALL.size :]
    assert here.tolist() == [1, 0, 0, 1, 0, 0]  # the start again


def test_a_wall_holds_and_the_horizon_ends():
    env = grids(horizon=2)
    env.reset()
    first, second = (env.step(np.array([LEFT])) for _ in range(2))
    assert first.info["cell"].tolist() == [[0, 0]]
    assert (bool(second.truncated[0]), bool(second.terminated[0])) == (True, False)


def test_what_is_seen_around_the_agent():
    env = grids()
    seen = env.reset()[0, : 3 * VIEW * VIEW].reshape(3, VIEW, VIEW)
    walls, trail, goal = seen
    assert walls[RADIUS, RADIUS : RADIUS + 3].tolist() == [0, 0, 1]  # ". . #" to the right
    assert walls[:RADIUS].all()  # nothing above the first row
    assert trail.sum() == trail[RADIUS, RADIUS] == 1
    assert goal[RADIUS + 2, RADIUS + 2] == goal.sum() == 1


def test_the_trail_is_of_this_episode():
    env = grids(horizon=2)
    env.reset()
    env.step(np.array([RIGHT]))
    last = env.step(np.array([LEFT]))
    assert last.info["final_obs"][0, VIEW * VIEW : 2 * VIEW * VIEW].sum() == 2
    assert last.observations[0, VIEW * VIEW : 2 * VIEW * VIEW].sum() == 1


def test_the_clock_is_the_share_of_the_episode():
    env = grids(clock=True)
    env.reset()
    assert env.step(np.array([LEFT])).observations[0, -1] == pytest.approx(1 / 6)
    assert env.observation_size == grids().observation_size + 1


def test_steps_are_metered():
    env = grids(num=3)
    env.reset()
    with metered() as cost:
        env.step(np.zeros(3, dtype=int))
    assert cost.env_steps == 3


def test_grids_of_several_sizes_are_refused():
    with pytest.raises(BadValue, match="one size"):
        Grids([SMALL, Layout(rows=("..", ".."), start=(0, 0), goal=(1, 1))], horizon=3)


def prompts(count=3):
    return [Prompt(id=str(place), content=SMALL, columns={"world": "w", "horizon": 20}) for place in range(count)]


def test_an_episode_hangs_on_its_prompt_and_seed_alone():
    many = Players({}).answer(prompts(3), n=2, decoding=Decoding(), seed=1)
    alone = Players({}).answer(prompts(3)[1:2], n=2, decoding=Decoding(), seed=1)
    assert many[1] == alone[0]
    assert many[1][0] != many[1][1]
    assert many != Players({}).answer(prompts(3), n=2, decoding=Decoding(), seed=2)


def test_an_agent_sees_observations_and_nothing_else():
    def downright(observations):
        down = observations[:, -2 * SMALL.size + 1] == 0  # not in the second row
        column = observations[:, -SMALL.size :].argmax(1)
        right = (column == 0) | (column == 1) & ~down
        return np.eye(4, dtype=np.float32)[np.where(right, RIGHT, DOWN)]

    (episode,) = play(downright, [SMALL], horizon=10, seeds=[0], temperature=0)
    assert episode.solved and episode.steps == 4


def test_temperature_sharpens():
    chances = np.array([[0.2, 0.8]] * 1000, dtype=np.float32)
    drawn = np.linspace(0, 1, 1000, endpoint=False)
    assert chosen(chances, drawn, 1.0).mean() == pytest.approx(0.8, abs=2e-3)
    assert chosen(chances, drawn, 0.5).mean() == pytest.approx(0.64 / 0.68, abs=2e-3)  # .8^2 / (.8^2 + .2^2)
    assert chosen(chances, drawn, 0.0).mean() == 1


def test_a_world_nobody_learnt_is_named():
    with pytest.raises(UnknownName, match="'w'"):
        Players({"other": uniform}).answer(prompts(1), n=1, decoding=Decoding(), seed=0)


def episode(*path):
    return Answer(value=Episode(layout=SMALL, path=path), finish="stop" if path[-1] == SMALL.goal else "length")


WALK = episode((0, 0), (0, 1), (1, 1), (1, 2), (2, 2))
LOST = episode((0, 0), (0, 1), (0, 0), (0, 1))


@pytest.mark.parametrize("answer", [WALK, LOST])
def test_what_is_dumped_is_loaded(answer):
    assert load(json.loads(json.dumps(dump(answer)))) == answer


def test_metrics_by_hand():
    assert measured(WALK.value, horizon=20) == {"success": 1.0, "steps": 4.0, "coverage": 5 / 7}
    assert measured(LOST.value, horizon=20) == {"success": 0.0, "steps": 20.0, "coverage": 2 / 7}


def test_properties_by_hand():
    about = properties([WALK, LOST])
    assert about.length == (4.0, 3.0)
    assert about.diversity == {"fresh_cells": (5 / 5 + 2 / 4) / 2}


def test_a_drawing_shows_walls_visits_start_and_goal():
    drawn = show(LOST)
    assert drawn.count("<rect") == 2 + 2 + 1  # walls, visited cells, the goal
    assert drawn.count("<circle") == 1
    assert "no goal in 3 steps" in drawn


def test_a_stored_path_through_a_wall_is_refused():
    stored = dump(LOST)
    stored["path"] = [[0, 0], [0, 2]]
    with pytest.raises(BadValue, match="free cells"):
        load(stored)
