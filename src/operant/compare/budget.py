"""A ceiling on training FLOPs and labels, the same for every row."""

from __future__ import annotations

from dataclasses import dataclass

from operant.errors import OperantError
from operant.meter import Cost, spent


class BudgetExceeded(OperantError):
    """Not even one step can be paid for."""


@dataclass
class Ceiling:
    """What one run may spend. What has been spent is read from the open meter, so nothing escapes it."""

    flops: float
    labels: float

    def plan(self, *, flops_per_step: float, labels_per_step: float = 0.0) -> int:
        """How many such steps what is left pays for."""
        used = spent()
        left = self.flops - used.flops
        steps = int(left / flops_per_step)
        if labels_per_step:
            steps = min(steps, int((self.labels - used.labels) / labels_per_step))
        if steps < 1:
            raise BudgetExceeded(
                f"the budget of {self.flops:.3g} FLOPs and {self.labels:.0f} labels has {left:.3g} left; one step "
                f"takes {flops_per_step:.3g} FLOPs and {labels_per_step:g} labels. Raise --budget"
            )
        return steps

    def share(self, cost: Cost) -> float:
        """How much of the ceiling a run used, by the scarcer of the two."""
        return max(cost.flops / self.flops if self.flops else 0.0, cost.labels / self.labels if self.labels else 0.0)
