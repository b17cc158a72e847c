"""One step of many environments, as every bonus sees it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Reached(NamedTuple):
    """What a step led to. Of an episode that ended, its last state, not the first of the next one."""

    before: Floats  # [envs, size], observations
    actions: NDArray[Any]  # [envs] numbers of actions; behind wrappers [envs, parts], whatever they are
    after: Floats  # [envs, size]
    ended: NDArray[np.bool_]  # [envs]
    cells: NDArray[np.int64]  # [envs, 2], where the agent is; what positions are counted by


class Bonus(Protocol):
    """Novelty of the states reached. It remembers the step, and forgets episodes that `ended`."""

    def __call__(self, step: Reached) -> Floats:
        """[envs], >= 0."""
        ...

    def forget(self, where: NDArray[np.bool_]) -> None:
        """Begin a new episode in these environments; nothing happens where nothing belongs to an episode."""
        ...


Key = Callable[[Reached], Sequence[Hashable]]
Features = Callable[[Reached], Floats]


def cell_key(step: Reached) -> list[tuple[int, ...]]:
    """Where the agent is."""
    return [tuple(cell) for cell in step.cells.tolist()]


def observation_key(step: Reached) -> list[bytes]:
    """All that is seen, rounded to three decimals: floats that differ by rounding are one state."""
    return [row.tobytes() for row in np.round(step.after, 3).astype(np.float32) + 0.0]
