"""One grid as a gymnasium environment, for learners and wrappers of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from operant.domains.control.grid import ACTIONS, Floats, Grids
from operant.domains.control.layout import Layout
from operant.errors import MissingExtra

try:
    from gymnasium import Env
    from gymnasium.spaces import Box, Discrete
except ImportError:
    raise MissingExtra("gymnasium", "control") from None


class GridEnv(Env):
    """Every episode on a layout drawn from `layouts`; `reset(seed=...)` decides which."""

    def __init__(self, layouts: Sequence[Layout], *, horizon: int, clock: bool = False):
        self._make = lambda seed: Grids(layouts, horizon=horizon, num=1, seed=seed, clock=clock)
        self._grids = self._make(0)
        size = self._grids.observation_size
        self.observation_space, self.action_space = Box(0.0, 1.0, (size,)), Discrete(ACTIONS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Floats, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._grids = self._make(seed)
        return self._grids.reset()[0], {}

    def step(self, action: Any) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """`info["cell"]` is where the agent stands, for bonuses that count positions."""
        stepped = self._grids.step(np.array([action]))
        ended = bool(stepped.terminated[0]), bool(stepped.truncated[0])
        return stepped.info["final_obs"][0], float(stepped.rewards[0]), *ended, {"cell": stepped.info["cell"][0]}
