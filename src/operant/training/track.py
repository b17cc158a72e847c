"""What is watched while a model trains: losses note values, the loop averages them over a step, a sink receives them.

Names follow TRL where TRL has one: loss, grad_norm, learning_rate, rewards/chosen, rewards/margins, logps/chosen, ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

Sink = Callable[[dict[str, float], int], None]  # (values, step from 1)

_NOTES: ContextVar[dict[str, tuple[float, float]] | None] = ContextVar("operant_notes", default=None)
_SINK: ContextVar[Sink | None] = ContextVar("operant_sink", default=None)


def note(values: Mapping[str, Tensor]) -> None:
    """Note [rows] values of a part of a batch; a step reports their mean. Without a sink nothing is computed."""
    notes = _NOTES.get()
    if notes is None:
        return
    for name, value in values.items():
        total, count = notes.get(name, (0.0, 0.0))
        notes[name] = (total + float(value.detach().float().sum()), count + value.numel())


def note_pairs(chosen: Tensor, rejected: Tensor, *, beta: float) -> None:
    """Implicit rewards of pairs, beta times the log-ratios to the reference: [pairs] each, nats."""
    won, lost = beta * chosen, beta * rejected
    note({"rewards/chosen": won, "rewards/rejected": lost, "rewards/margins": won - lost,
          "rewards/accuracies": (won > lost).float()})  # fmt: skip


@contextmanager
def noting() -> Iterator[dict[str, float]]:
    """Collect what losses note inside; filled in at the end. Empty where nobody watches."""
    found: dict[str, float] = {}
    notes: dict[str, tuple[float, float]] | None = {} if _SINK.get() else None
    token = _NOTES.set(notes)
    try:
        yield found
    finally:
        _NOTES.reset(token)
        found.update({name: total / count for name, (total, count) in (notes or {}).items()})


def tell(values: dict[str, float], step: int) -> None:
    """Hand one step's values to the sink, where there is one."""
    sink = _SINK.get()
    if sink is not None:
        sink(values, step)


@contextmanager
def watched(sink: Sink) -> Iterator[None]:
    """Every fit inside reports its steps to `sink`."""
    token = _SINK.set(sink)
    try:
        yield
    finally:
        _SINK.reset(token)
