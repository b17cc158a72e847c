"""What math-verify says of two answers. It runs in the sandbox's child alone: underneath, it evaluates text."""

from __future__ import annotations

from importlib.util import find_spec

from operant.errors import MissingExtra
from operant.sandbox import Limits, Outcome, Worker

LIMITS = Limits(seconds=3.0, memory_mb=2048, start_seconds=60.0)


class Symbolic:
    """math-verify behind a killable process, which starts with the first question."""

    def __init__(self, limits: Limits = LIMITS):
        self.limits = limits
        self._worker: Worker | None = None

    def same(self, answer: str, reference: str) -> Outcome:
        """Whether they are equal: value True or False, None where one of them says nothing; or why it is not known."""
        if not installed():
            raise MissingExtra("math-verify", "maths")
        self._worker = self._worker or Worker(self.limits)
        return self._worker.run(verified, answer, reference)


def installed() -> bool:
    return find_spec("math_verify") is not None


def verified(answer: str, reference: str) -> bool | None:
    """In the child: what math-verify parses and says. Its own clocks are off; the parent holds one."""
    import math_verify

    truth = math_verify.parse(_dressed(reference), parsing_timeout=None)
    found = math_verify.parse(_dressed(answer), parsing_timeout=None)
    if not truth or not found:
        return None
    return bool(math_verify.verify(truth, found, timeout_seconds=None))


def _dressed(text: str) -> str:
    """Marked as mathematics where it is not yet, since LaTeX is read between dollar signs only."""
    return text if "$" in text or "\\boxed" in text else f"${text}$"
