"""What every subject says of its answers: the doors of domains/<subject>/represent.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from operant.schema import Answer, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """Of the answers to the test prompts, one each, in order."""

    length: tuple[float, ...]  # words, steps, notes: what the subject counts in
    diversity: Mapping[str, float | None]  # of the whole set


class Represent(Protocol):
    """How a subject's answers lie on disk and on a page, and what is said of a set of them: its represent.py."""

    def dump(self, answer: Answer) -> dict[str, Json]:
        """The answer as JSON; "text" (a line for lists) and "finish" are always there."""
        ...

    def load(self, stored: dict[str, Any]) -> Answer:
        """What `dump` gave."""
        ...

    def show(self, answer: Answer) -> str:
        """An HTML fragment in which nothing of the answer is markup."""
        ...

    def properties(self, answers: Sequence[Answer]) -> Properties:
        """What can be said of the answers without any task."""
        ...
