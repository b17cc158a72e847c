"""The bonuses around gymnasium's environments: what is paid, when it begins anew, and what is refused."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from operant.errors import OperantError
from operant.rewards.bonuses.wrappers import episodic_elliptical, global_count


class Walk(gymnasium.Env):
    """Left or right on a line of four cells, seen as one-hot; reward 1 at the end, which ends the episode."""

    observation_space, action_space = Box(0.0, 1.0, (4,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 1
        return self._seen(), {}

    def step(self, action):
        self.place = max(0, self.place + (1 if action else -1))
        done = self.place == 3
        return self._seen(), float(done), done, False, {}

    def _seen(self):
        return np.eye(4, dtype=np.float32)[self.place]


def same(observations):
    return observations


def test_the_elliptical_bonus_is_added_and_the_task_reward_kept():
    env = episodic_elliptical(Walk(), same, ridge=0.1, beta=0.5)
    env.reset()
    _, first, *_, info = env.step(0)
    assert (first, info["bonus"][0], info["task_reward"][0]) == pytest.approx((0.5 / 0.1, 1 / 0.1, 0.0))
    assert env.step(0)[1] == pytest.approx(0.5 / 1.1)  # the wall: the same cell again


def test_a_reset_begins_the_episode_anew_and_counts_go_on():
    env = episodic_elliptical(global_count(Walk(), beta=1.0), same, ridge=0.1)
    paid = []
    for _ in range(2):
        env.reset()
        paid.append(env.step(0)[1])
    # 1 / sqrt(1) * 1 / .1, then 1 / sqrt(2) * 1 / .1
    assert paid == pytest.approx([1 / 0.1, 2**-0.5 / 0.1])


def test_wrappers_add_where_they_are_told_to():
    env = episodic_elliptical(global_count(Walk()), same, ridge=0.1, combine="add")
    env.reset()
    assert env.step(0)[1] == pytest.approx(1 + 1 / 0.1)


def test_without_weight_the_reward_is_the_task_s():
    env = episodic_elliptical(Walk(), same, beta=0.0)
    env.reset()
    assert [env.step(action)[1] for action in (1, 1)] == [0.0, 1.0]


def vector(mode=AutoresetMode.SAME_STEP):
    return SyncVectorEnv([Walk, Walk], autoreset_mode=mode)


def test_every_environment_has_a_matrix_of_its_own_and_only_the_ended_one_begins_anew():
    env = episodic_elliptical(vector(), same, ridge=0.1)
    env.reset()
    # the first walks to its end in two steps, the second stays at the left wall
    paid = [env.step(np.array(actions))[1] for actions in ((1, 0), (1, 0), (1, 0))]
    assert paid[0] == pytest.approx([1 / 0.1, 1 / 0.1])
    assert paid[1] == pytest.approx([1 + 1 / 0.1, 1 / 1.1])  # the end itself is new, and pays the task's reward
    assert paid[2] == pytest.approx([1 / 0.1, 1 / 2.1])  # cell 2 again, in the first one's new episode


def test_a_vector_that_hides_last_observations_is_refused():
    with pytest.raises(OperantError, match="autoreset_mode is .*NEXT_STEP.*; expected SAME_STEP"):
        episodic_elliptical(vector(AutoresetMode.NEXT_STEP), same)


def test_observations_that_are_no_arrays_are_refused():
    env = Walk()
    env.observation_space = gymnasium.spaces.Dict({"place": Discrete(4)})
    with pytest.raises(OperantError, match="FlattenObservation"):
        episodic_elliptical(env, same)


class Push(Walk):
    """The same line under actions of two numbers."""

    action_space = Box(-1.0, 1.0, (2,))

    def step(self, action):
        return super().step(int(action[0] > 0))


def test_actions_may_be_vectors():
    env = global_count(Push())
    env.reset()
    assert env.step(np.array([-1.0, 0.5]))[1] == 1.0
