"""A program that a model wrote: interpreted, and that in a child process, so that both walls have to fail."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from operant.sandbox.child import Outcome, Worker, run
from operant.sandbox.interpreter import interpret
from operant.sandbox.values import Bounds


def run_program(source: str, *, worker: Worker | None = None, bounds: Bounds | None = None) -> Outcome:
    """The program's {"value", "printed", "steps"}, or why there is none.

    The value is its variable `answer`, what its function `solution()` returns, or its last printed line. A worker
    serves many programs; without one a process is started for this program alone.
    """
    arguments = (source, asdict(bounds or Bounds()))
    return worker.run(interpreted, *arguments) if worker else run(interpreted, *arguments)


def interpreted(source: str, bounds: dict[str, int]) -> dict[str, Any]:
    """What the child process does."""
    ran = interpret(source, Bounds(**bounds))
    return {"value": ran.value, "printed": ran.printed, "steps": ran.steps}
