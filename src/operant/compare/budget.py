"""A ceiling on what a run may spend, the same for every row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from operant.errors import OperantError
from operant.meter import Cost, spent

UNITS = {"flops": "FLOPs", "labels": "labels", "env_steps": "environment steps", "evaluations": "evaluations"}


class BudgetExceeded(OperantError):
    """Not even one step can be paid for."""


@dataclass
class Ceiling:
    """What one run may spend. What has been spent is read from the open meter, so nothing escapes it."""

    flops: float = 0.0
    labels: float = 0.0
    env_steps: float = 0.0
    evaluations: float = 0.0

    def plan(
        self, *, flops_per_step: float = 0.0, labels_per_step: float = 0.0, env_steps_per_step: float = 0.0,
        evaluations_per_step: float = 0.0,
    ) -> int:  # fmt: skip
        """How many such steps what is left pays for; what a step does not cost is not asked after."""
        prices = {"flops": flops_per_step, "labels": labels_per_step, "env_steps": env_steps_per_step,
                  "evaluations": evaluations_per_step}  # fmt: skip
        prices = {name: price for name, price in prices.items() if price}
        assert prices, "a step that costs nothing needs no plan"
        used = spent()
        left = {name: getattr(self, name) - getattr(used, name) for name in prices}
        scarce = min(prices, key=lambda name: left[name] / prices[name])
        steps = int(left[scarce] / prices[scarce])
        if steps < 1:
            raise BudgetExceeded(
                f"the budget of {self} has {left[scarce]:.3g} {UNITS[scarce]} left; one step takes "
                f"{prices[scarce]:.3g}. Raise --budget"
            )
        return steps

    def share(self, cost: Cost) -> float:
        """How much of the ceiling a run used, by the scarcest of what is limited."""
        return max((getattr(cost, name) / limit for name, limit in asdict(self).items() if limit), default=0.0)

    def scaled(self, share: float) -> Ceiling:
        """A part of the ceiling. Labels stay: feedback that is read is read whole."""
        parts = {name: limit * share for name, limit in asdict(self).items() if name != "labels"}
        return replace(self, **parts)

    def __str__(self) -> str:
        limits = {name: limit for name, limit in asdict(self).items() if limit}
        return " and ".join(f"{limit:,.0f} {UNITS[name]}" if limit < 1e9 else f"{limit:.3g} {UNITS[name]}"
                            for name, limit in limits.items()) or "nothing"  # fmt: skip
