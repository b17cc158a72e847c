"""The records of a file, for a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from operant.data.codes import Problem
from operant.data.lengths import Measure
from operant.data.records import Kind, Record
from operant.data.report import CheckReport
from operant.data.scan import scan
from operant.data.tally import Tally
from operant.errors import OperantError, require

OnBadRow = Literal["stop", "skip"]
SHOWN = 5


class BadRows(OperantError):
    """Some rows cannot be used, and nobody said that they may be skipped."""

    def __init__(self, report: CheckReport):
        bad = [problem for problem in report.problems if problem.severity == "row"]
        listed = "\n".join(_line(problem) for problem in bad[:SHOWN])
        more = f"\n  and {report.unusable - SHOWN:,} more" if report.unusable > SHOWN else ""
        super().__init__(
            f"{report.file}: {report.unusable:,} of {report.rows:,} rows cannot be used:\n{listed}{more}\n"
            f"Repair them (see `operant data check`), or leave them out with --on-bad-row skip"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    kind: Kind
    records: tuple[Record, ...]
    report: CheckReport  # of the rows that were read; with a limit, reading stops there


def load(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_bad_row: OnBadRow = "stop",
) -> Loaded:
    """The usable rows in the order of the file; ties and missing verdicts are dropped and counted.

    Args:
        limit: the first so many usable rows; what comes after is not read.
        on_bad_row: "stop" raises BadRows with the first problems; "skip" leaves them out, counted in the report.
    Raises: UnreadableData, BadRows, or OperantError where no row is left.
    """
    require(limit is None or limit >= 1, "limit", limit, "at least 1, or none")
    require(on_bad_row in ("stop", "skip"), "on_bad_row", on_bad_row, "'stop' or 'skip'")
    source = scan(path, columns)
    tally = Tally(source, Measure(None, None))
    records: list[Record] = []
    for event in source.events:
        tally.add(event)
        if event.record is not None:
            records.append(event.record)
            if len(records) == limit:
                break
    report = tally.report()
    if report.unusable and on_bad_row == "stop":
        raise BadRows(report)
    if not records:
        raise OperantError(f"{path}: no row is left of {report.rows:,}; see `operant data check`")
    return Loaded(kind=report.kind, records=tuple(records), report=report)


def _line(problem: Problem) -> str:
    column = f", {problem.column}" if problem.column else ""
    return f"  line {problem.line}{column}: {problem.code}: {problem.problem}"
