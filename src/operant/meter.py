"""What a run cost: counts that are the same on every machine, and seconds and bytes, kept apart.

Whatever spends charges the innermost open meter: `charge(forward_flops=...)`. Methods never charge; the rooms below do.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields


@dataclass(kw_only=True)
class Cost:
    """Counts of one run. FLOPs follow torch's convention: a multiply-add is 2, attention is the full square."""

    forward_flops: float = 0.0
    backward_flops: float = 0.0
    forward_tokens: float = 0.0  # positions computed, padding included: that is what was paid for
    backward_tokens: float = 0.0
    sampled_tokens: float = 0.0
    reward_calls: float = 0.0  # answers scored by a learnt scorer
    verifier_calls: float = 0.0
    labels: float = 0.0  # judgements of people or of the task's annotator
    requests: float = 0.0
    endpoint_tokens: float = 0.0
    env_steps: float = 0.0
    denoiser_calls: float = 0.0
    evaluations: float = 0.0

    @property
    def flops(self) -> float:
        return self.forward_flops + self.backward_flops

    def add(self, other: Cost) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def copy(self) -> Cost:
        return Cost(**asdict(self))

    def minus(self, other: Cost) -> Cost:
        return Cost(**{name: value - getattr(other, name) for name, value in asdict(self).items()})

    def to_json(self) -> dict[str, float]:
        return asdict(self)


@dataclass(kw_only=True)
class Measured:
    """What this machine took: never compared, never matched."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0  # peak of the process so far


_OPEN: ContextVar[Cost | None] = ContextVar("operant_meter", default=None)


def charge(**amounts: float) -> None:
    """Add to the innermost open meter; without one, nothing is counted."""
    cost = _OPEN.get()
    if cost is not None:
        cost.add(Cost(**amounts))


def charge_cost(cost: Cost) -> None:
    """Add a whole cost: a product computed earlier is charged in full to everyone who uses it."""
    charge(**cost.to_json())


def spent() -> Cost:
    """What the innermost open meter holds now."""
    cost = _OPEN.get()
    return cost.copy() if cost is not None else Cost()


@contextmanager
def metered() -> Iterator[Cost]:
    """Collect what is charged inside. An outer meter does not see it; pass it on with `charge_cost`."""
    cost = Cost()
    token = _OPEN.set(cost)
    try:
        yield cost
    finally:
        _OPEN.reset(token)


@contextmanager
def timed() -> Iterator[Measured]:
    """Seconds of the block and the process's peak memory at its end."""
    measured = Measured()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield measured
    finally:
        measured.wall_s = time.perf_counter() - wall
        measured.cpu_s = time.process_time() - cpu
        measured.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
