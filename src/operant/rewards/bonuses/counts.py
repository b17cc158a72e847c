"""1 / sqrt(visits): over all of training, or within the episode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from operant.rewards.bonuses.reached import Floats, Key, Reached


class GlobalCount:
    """1 / sqrt(N), N counting every visit in training, this one included.

    Source: Henaff et al. 2023, arXiv:2306.03236, sec. 3; Bellemare et al. 2016.
    """

    def __init__(self, key: Key):
        self.key = key
        self.visits: Counter[Hashable] = Counter()

    def __call__(self, step: Reached) -> Floats:
        keys = self.key(step)
        self.visits.update(keys)
        return np.array([self.visits[key] ** -0.5 for key in keys], dtype=np.float32)

    def forget(self, where: NDArray[np.bool_]) -> None:
        """Nothing: visits are counted for good."""


class EpisodicCount:
    """1 / sqrt(N_e), N_e counting the visits of this episode; with `first_only` 1 at the first visit, then 0.

    Source: Henaff et al. 2023, arXiv:2306.03236, sec. 3.
    """

    def __init__(self, key: Key, *, num: int, first_only: bool):
        self.key, self.first_only = key, first_only
        self.visits: list[Counter[Hashable]] = [Counter() for _ in range(num)]

    def __call__(self, step: Reached) -> Floats:
        found = []
        for place, key in enumerate(self.key(step)):
            self.visits[place][key] += 1
            count = self.visits[place][key]
            found.append(float(count == 1) if self.first_only else count**-0.5)
        self.forget(step.ended)
        return np.array(found, dtype=np.float32)

    def forget(self, where: NDArray[np.bool_]) -> None:
        for place in np.flatnonzero(where):
            self.visits[place].clear()
