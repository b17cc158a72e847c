"""Features learnt by telling which action led from one observation to the next: what the agent cannot move fades."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operant.models.mlp import charge_pass, mlp
from operant.rewards.bonuses.reached import Floats, Reached

CLIP = 40.0


class InverseDynamics:
    """An encoder phi and a head that reads phi(before) and phi(after); trained by the cross-entropy of the action.

    Source: Pathak et al. 2017, arXiv:1705.05363; as in E3B, arXiv:2210.05805.
    """

    def __init__(self, inputs: int, actions: int, *, hidden: int, size: int, learning_rate: float, seed: int):
        rng = torch.Generator().manual_seed(seed)
        self.encoder = mlp((inputs, hidden, size), rng=rng)
        self.head = mlp((2 * size, hidden, actions), rng=rng)
        self._weights = [*self.encoder.parameters(), *self.head.parameters()]
        self._optimizer = torch.optim.Adam(self._weights, lr=learning_rate)

    @torch.no_grad()
    def __call__(self, step: Reached) -> Floats:
        """phi of the states reached."""
        after = torch.from_numpy(step.after)
        charge_pass(self.encoder, after)
        return self.encoder(after).numpy()

    def learn(self, steps: Reached) -> float:
        """One update on steps; returns the loss, nats a step."""
        before, after = torch.from_numpy(steps.before), torch.from_numpy(steps.after)
        both = torch.cat([self.encoder(before), self.encoder(after)], dim=-1)
        loss = F.cross_entropy(self.head(both), torch.from_numpy(steps.actions))
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, CLIP)
        self._optimizer.step()
        charge_pass(self.encoder, torch.cat([before, after]), backward=True)
        charge_pass(self.head, both, backward=True)
        return float(loss.detach())
