"""One row as any reader hands it on."""

from dataclasses import dataclass
from typing import Any

from operant.data.codes import Problem


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read: its columns, or the problem that hides them."""

    line: int
    value: dict[str, Any] | None
    problem: Problem | None = None
    notices: tuple[Problem, ...] = ()
    size: int = 0  # bytes in the file, decompressed; of a table, its share of the batch
