"""What `check` found in a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from operant.data.codes import CODES, Problem
from operant.data.records import Kind
from operant.data.verdicts import Outcome
from operant.schema import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Every row is counted once: rows == kept + unusable + the sum of dropped."""

    file: str
    kind: Kind
    layout: str  # the columns by which the kind was told
    rows: int
    kept: int
    problems: tuple[Problem, ...]  # in the order of the file; at most LISTED of each severity
    counts: Mapping[str, int]  # every problem by code, listed or not
    dropped: Mapping[Outcome, int]
    lengths: Mapping[str, Json]  # unit, and by side min, median, mean, p95, max
    cut: Mapping[str, Json] | None  # rows that a maximum would cut or drop; None without a maximum

    @property
    def unusable(self) -> int:
        """Rows with a problem of severity "row"; a row has at most one."""
        return sum(times for code, times in self.counts.items() if CODES[code][0] == "row")

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "rows": self.rows,
            "kept": self.kept,
            "problems": [dict(problem.to_json()) for problem in self.problems],
            "dropped": {str(why): times for why, times in self.dropped.items()},
            "lengths": dict(self.lengths),
            "cut": None if self.cut is None else dict(self.cut),
        }
