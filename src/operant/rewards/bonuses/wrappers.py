"""The bonuses around any gymnasium environment, single or vectorised: reward + beta * bonus, the parts in `info`.

`info["bonus"]` is what was added, before beta; `info["task_reward"]` the environment's own. Wrappers may be stacked:
the outer one multiplies its bonus with the one below (`combine="mult"`) or adds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from operant.errors import MissingExtra, OperantError, require
from operant.rewards.bonuses.counts import GlobalCount
from operant.rewards.bonuses.elliptical import Elliptical
from operant.rewards.bonuses.reached import Bonus, Floats, Key, Reached, observation_key

try:
    from gymnasium import Env, Wrapper
    from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
except ImportError:
    raise MissingExtra("gymnasium", "control") from None

Combine = Literal["mult", "add"]
Encoder = Callable[[Floats], Floats]  # observations [envs, size] to features [envs, features]


def episodic_elliptical(
    env: Any, encoder: Encoder, *, ridge: float = 0.1, beta: float = 1.0, combine: Combine = "mult"
) -> Any:
    """The environment with E3B's bonus on `encoder`'s features; one matrix an environment index."""
    num = _num(env)
    size = encoder(np.zeros((num, _size(env)), dtype=np.float32)).shape[1]
    bonus = Elliptical(lambda step: encoder(step.after), num=num, size=size, ridge=ridge)
    return _wrapped(env, bonus, beta, combine)


def global_count(env: Any, key: Key = observation_key, *, beta: float = 1.0, combine: Combine = "mult") -> Any:
    """The environment with 1 / sqrt(visits of the state over all of training); states are told apart by `key`."""
    return _wrapped(env, GlobalCount(key), beta, combine)


def _wrapped(env: Any, bonus: Bonus, beta: float, combine: Combine) -> Any:
    require(combine in ("mult", "add"), "combine", combine, "'mult' or 'add'")
    paid = _Paid(bonus, beta, combine, _num(env))
    return _PaidVector(env, paid) if isinstance(env, VectorEnv) else _PaidEnv(env, paid)


def _num(env: Any) -> int:
    return env.num_envs if isinstance(env, VectorEnv) else 1


def _size(env: Any) -> int:
    space = env.single_observation_space if isinstance(env, VectorEnv) else env.observation_space
    if space.shape is None:
        raise OperantError(f"observations are {space}; expected an array. Put FlattenObservation around it first")
    return int(np.prod(space.shape))


class _Paid:
    """One bonus on top of those of the wrappers below."""

    def __init__(self, bonus: Bonus, beta: float, combine: Combine, num: int):
        self.bonus, self.beta, self.combine, self.num = bonus, beta, combine, num
        self._before: Floats = np.zeros((num, 0), dtype=np.float32)

    def begin(self, observations: Any) -> None:
        self._before = self._rows(observations)
        self.bonus.forget(np.ones(self.num, dtype=bool))

    def pay(
        self, actions: Any, after: Any, ended: NDArray[np.bool_], rewards: Any, info: dict[str, Any]
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Rewards [envs] with all bonuses, and `info` with the parts."""
        cells = np.asarray(info.get("cell", np.zeros((self.num, 0))), dtype=np.int64).reshape(self.num, -1)
        ours = self.bonus(
            Reached(self._before, np.asarray(actions).reshape(self.num, -1), self._rows(after), ended, cells)
        )
        below = info.get("bonus")
        joined = ours if below is None else ours * below if self.combine == "mult" else ours + below
        plain = np.asarray(info.get("task_reward", rewards), dtype=np.float64).reshape(self.num)
        return plain + self.beta * joined, {**info, "bonus": joined, "task_reward": plain}

    def go_on(self, observations: Any) -> None:
        self._before = self._rows(observations)

    def _rows(self, observations: Any) -> Floats:
        return np.array(observations, dtype=np.float32).reshape(self.num, -1)


class _PaidEnv(Wrapper):
    def __init__(self, env: Env, paid: _Paid):
        super().__init__(env)
        self._paid = paid

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**settings)
        self._paid.begin(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        paid, info = self._paid.pay(action, observation, np.array([terminated or truncated]), reward, info)
        self._paid.go_on(observation)
        return observation, float(paid[0]), terminated, truncated, info


class _PaidVector(VectorWrapper):
    def __init__(self, env: VectorEnv, paid: _Paid):
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise OperantError(
                f"autoreset_mode is {mode}; expected SAME_STEP, which gives an episode's last observation with its "
                'last step: gymnasium.make_vec(..., vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})'
            )
        super().__init__(env)
        self._paid = paid

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        observations, info = self.env.reset(**settings)
        self._paid.begin(observations)
        return observations, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        ended = np.asarray(terminated) | np.asarray(truncated)
        after = np.array(observations, dtype=np.float32)
        for place in np.flatnonzero(ended):
            after[place] = info["final_obs"][place]
        paid, info = self._paid.pay(actions, after, ended, rewards, info)
        self._paid.go_on(observations)
        return observations, paid, terminated, truncated, info
