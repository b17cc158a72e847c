"""The running size of a bonus, so that its weight means the same early and late."""

from __future__ import annotations

import numpy as np

from operant.rewards.bonuses.reached import Floats


class RunningScale:
    """Divides by the standard deviation of all values so far. The mean stays: a negative bonus would teach to end it.

    Variances of batches are joined as in Chan, Golub and LeVeque 1979.
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    @property
    def deviation(self) -> float:
        """Of the values so far, with N in its denominator; 1 before there are any, or where all are equal."""
        spread = (self._squares / self.count) ** 0.5 if self.count else 0.0
        return spread or 1.0

    def __call__(self, values: Floats) -> Floats:
        """Take the values in, then divide; the argument is left as it is."""
        gap, total = float(values.mean()) - self.mean, self.count + values.size
        self._squares += float(values.var()) * values.size + gap**2 * self.count * values.size / total
        self.mean += gap * values.size / total
        self.count = total
        return (values / self.deviation).astype(np.float32)
