"""Novelty of a feature vector against those of the same episode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operant.errors import require
from operant.rewards.bonuses.reached import Features, Floats, Reached


class Elliptical:
    """phi^T C^-1 phi, C = ridge I + the sum of phi phi^T over earlier steps of the episode; one C an environment.

    The inverse is kept up to date by Sherman and Morrison's formula. Where a feature is not finite, or rounding has
    cost C its positive definiteness, that environment's C begins anew, and `resets` counts it.

    Args:
        features: of the states reached, [envs, size].
        ridge: > 0; the first bonus of an episode is |phi|^2 / ridge.
    Source: E3B, Henaff et al. 2022, arXiv:2210.05805, eq. 3; ridge 0.1 as there.
    """

    def __init__(self, features: Features, *, num: int, size: int, ridge: float = 0.1):
        require(ridge > 0, "ridge", ridge, "above 0")
        self.features, self.resets = features, 0
        self._start = np.eye(size) / ridge
        self.inverse: NDArray[np.float64] = np.repeat(self._start[None], num, axis=0)

    def __call__(self, step: Reached) -> Floats:
        phi = np.asarray(self.features(step), dtype=np.float64)
        bad = ~np.isfinite(phi).all(1)
        phi[bad] = 0.0
        turned = np.einsum("nij,nj->ni", self.inverse, phi)
        bonus = np.einsum("ni,ni->n", phi, turned)
        bad |= bonus < 0
        self.inverse -= turned[:, :, None] * turned[:, None, :] / (1.0 + bonus)[:, None, None]
        self.resets += int(bad.sum())
        self.forget(bad | step.ended)
        return np.where(bad, 0.0, bonus).astype(np.float32)

    def forget(self, where: NDArray[np.bool_]) -> None:
        self.inverse[where] = self._start
