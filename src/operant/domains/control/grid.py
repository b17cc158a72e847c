"""Many grids stepped at once, in numpy: the same doors as gymnasium's vector environments."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operant.domains.control.layout import MOVES, Layout
from operant.errors import require
from operant.meter import charge

Floats = NDArray[np.float32]
RADIUS = 2  # of the square that is seen around the agent
VIEW = 2 * RADIUS + 1
ACTIONS = len(MOVES)
_MOVES = np.array(MOVES)


class Stepped(NamedTuple):
    """What gymnasium's `step` returns. An environment that ended has begun anew: its last observation is in `info`."""

    observations: Floats  # [grids, size]
    rewards: Floats  # [grids]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    info: dict[str, Any]  # final_obs [grids, size] and cell [grids, 2]: before a new beginning


class Grids:
    """`num` agents in grids of one size, each episode on a layout drawn from `layouts`; without `num` one on each.

    An agent sees the walls, its own trail and the goal in a square around it, where it stands, and with `clock` the
    share of the episode that is over. Reward 1 at the goal, which ends the episode, else 0; one step is metered for
    each grid.
    """

    def __init__(
        self, layouts: Sequence[Layout], *, horizon: int, num: int | None = None, seed: int = 0, clock: bool = False
    ):
        require(layouts, "layouts", "none", "at least one")
        require(len({one.size for one in layouts}) == 1, "layouts", "grids of several sizes", "one size")
        self.layouts, self.num, self.horizon, self.clock = list(layouts), num or len(layouts), horizon, clock
        self._in_turn = num is None
        self.size = layouts[0].size
        self._rng = Random(f"grids {seed}")
        self._all = np.arange(self.num)
        self._walls = np.stack([_padded(one) for one in layouts])
        self._ends = np.array([(one.start, one.goal) for one in layouts])
        self._which = np.zeros(self.num, dtype=int)
        self._cell = np.zeros((self.num, 2), dtype=int)
        self._steps = np.zeros(self.num, dtype=int)
        self._trail = np.zeros((self.num, *self._walls.shape[1:]), dtype=np.float32)

    @property
    def observation_size(self) -> int:
        return 3 * VIEW * VIEW + 2 * self.size + self.clock

    def reset(self) -> Floats:
        """Begin an episode everywhere."""
        self._begin(np.ones(self.num, dtype=bool))
        return self._observed()

    def step(self, actions: NDArray[np.int64]) -> Stepped:
        """Move every agent; a move into a wall stays."""
        charge(env_steps=float(self.num))
        wanted = self._cell + _MOVES[actions]
        blocked = self._walls[self._which, wanted[:, 0] + RADIUS, wanted[:, 1] + RADIUS]
        self._cell = np.where(blocked[:, None], self._cell, wanted)
        self._mark()
        self._steps += 1
        terminated = (self._cell == self._ends[self._which, 1]).all(1)
        truncated = ~terminated & (self._steps >= self.horizon)
        observations, reached = self._observed(), self._cell.copy()
        info = {"final_obs": observations, "cell": reached}
        if (ended := terminated | truncated).any():
            self._begin(ended)
            observations = self._observed()
        return Stepped(observations, terminated.astype(np.float32), terminated, truncated, info)

    def _begin(self, where: NDArray[np.bool_]) -> None:
        for place in np.flatnonzero(where):
            self._which[place] = place if self._in_turn else self._rng.randrange(len(self.layouts))
        self._cell[where] = self._ends[self._which[where], 0]
        self._steps[where] = 0
        self._trail[where] = 0.0
        self._mark()

    def _mark(self) -> None:
        self._trail[self._all, self._cell[:, 0] + RADIUS, self._cell[:, 1] + RADIUS] = 1.0

    def _observed(self) -> Floats:
        rows = (self._cell[:, 0, None] + np.arange(VIEW))[:, :, None]
        columns = (self._cell[:, 1, None] + np.arange(VIEW))[:, None, :]
        each = self._all[:, None, None]
        walls = self._walls[self._which[:, None, None], rows, columns]
        goal = self._ends[self._which, 1] + RADIUS
        at_goal = (rows == goal[:, 0, None, None]) & (columns == goal[:, 1, None, None])
        seen = np.stack([walls, self._trail[each, rows, columns], at_goal], axis=1).reshape(self.num, -1)
        here = np.zeros((self.num, 2 * self.size), dtype=np.float32)
        here[self._all, self._cell[:, 0]] = 1.0
        here[self._all, self.size + self._cell[:, 1]] = 1.0
        parts = [seen, here] + ([self._steps[:, None] / self.horizon] if self.clock else [])
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _padded(layout: Layout) -> NDArray[np.bool_]:
    """Walls, with a margin of wall as wide as the view."""
    walls = np.array([[char == "#" for char in row] for row in layout.rows])
    return np.pad(walls, RADIUS, constant_values=True)
