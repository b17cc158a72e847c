"""Novelty over all of training: how badly a net predicts another net that never learns."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from operant.errors import require
from operant.models.mlp import charge_pass, mlp
from operant.rewards.bonuses.reached import Floats, Reached

CLIP = 40.0


class RandomDistillation:
    """n(s) = |predictor(s) - target(s)|, Euclidean; the target's random weights stay.

    Source: RND, Burda et al. 2018, arXiv:1810.12894.
    """

    def __init__(self, inputs: int, *, hidden: int, size: int, learning_rate: float, seed: int):
        rng = torch.Generator().manual_seed(seed)
        self.target = mlp((inputs, hidden, size), rng=rng)
        self.predictor = mlp((inputs, hidden, size), rng=rng)
        self._optimizer = torch.optim.Adam(self.predictor.parameters(), lr=learning_rate)

    @torch.no_grad()
    def novelty(self, observations: Floats) -> Floats:
        """[rows], >= 0."""
        rows = torch.from_numpy(observations)
        charge_pass(self.target, rows)
        charge_pass(self.predictor, rows)
        return (self.predictor(rows) - self.target(rows)).norm(dim=-1).numpy()

    def __call__(self, step: Reached) -> Floats:
        return self.novelty(step.after)

    def forget(self, where: NDArray[np.bool_]) -> None:
        """Nothing: novelty is that of all training."""

    def learn(self, steps: Reached) -> float:
        """One update on the states reached; returns the mean squared error."""
        rows = torch.from_numpy(steps.after)
        with torch.no_grad():
            wanted = self.target(rows)
        charge_pass(self.target, rows)
        loss = ((self.predictor(rows) - wanted) ** 2).mean()
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.predictor.parameters(), CLIP)
        self._optimizer.step()
        charge_pass(self.predictor, rows, backward=True)
        return float(loss.detach())


class NoveltyDifference:
    """max(0, n(after) - alpha n(before)): paid at the border of what is known.

    Source: NovelD, Zhang et al. 2021, NeurIPS 34, eq. 3, there with alpha 0.5 and only at the episode's first visit;
    alpha 0.1 and no such condition in the release of arXiv:2306.03236.
    """

    def __init__(self, distilled: RandomDistillation, *, alpha: float):
        require(alpha >= 0, "alpha", alpha, "at least 0")
        self.distilled, self.alpha = distilled, alpha

    def __call__(self, step: Reached) -> Floats:
        before, after = self.distilled.novelty(step.before), self.distilled.novelty(step.after)
        return np.maximum(0.0, after - self.alpha * before).astype(np.float32)

    def forget(self, where: NDArray[np.bool_]) -> None:
        """Nothing: novelty is that of all training."""
