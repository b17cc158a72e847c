"""Reader and layout together: one event per row, in the order of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from operant.data.codes import Flaw, Problem, shorten
from operant.data.convert import make_record
from operant.data.files import EXPECTED, UnreadableData
from operant.data.known import Layout
from operant.data.layouts import Fit, check_columns, choose, fit_or_flaw, lookup
from operant.data.read import MIB
from operant.data.records import Record
from operant.data.row import Row
from operant.data.sources import read_source
from operant.data.verdicts import Outcome

HEAD_ROWS = 100  # usable rows that vote on the layout
HEAD_BYTES = 16 * MIB  # and what they may take together
GIVE_UP = 1000  # rows; a file without one usable row among so many is no file of ours


@dataclass(frozen=True, slots=True)
class Event:
    """What became of one row: a record, a drop or a problem, exactly one of the three; and what was noticed."""

    line: int
    record: Record | None = None
    dropped: Outcome | None = None
    problem: Problem | None = None
    notices: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        assert sum(part is not None for part in (self.record, self.dropped, self.problem)) == 1


@dataclass(frozen=True, slots=True)
class Scan:
    file: str
    layout: Layout
    events: Iterator[Event]


def scan(path: str | Path, columns: Mapping[str, str] | None = None) -> Scan:
    """A file's layout and its rows, read as they are asked for. Raises UnreadableData where there is no layout."""
    given = check_columns(columns)
    file = str(path)
    rows = read_source(Path(path))
    head = _head(rows)
    usable = [row.value for row in head if row.value is not None]
    if not usable:
        raise UnreadableData(_nothing(head, file))
    layout = choose(usable, given, file=file)
    return Scan(file, layout, (_event(row, layout, given, file) for row in chain(head, rows)))


def _head(rows: Iterator[Row]) -> list[Row]:
    head: list[Row] = []
    usable = size = 0
    for row in rows:
        head.append(row)
        usable += row.value is not None
        size += row.size
        if usable >= HEAD_ROWS or usable and size > HEAD_BYTES or len(head) >= GIVE_UP:
            break
    return head


def _nothing(head: list[Row], file: str) -> str:
    first = next((row.problem for row in head if row.problem), None)
    if first is None:
        return f"{file} holds no rows; expected at least one"
    among = f"none of the first {len(head):,} rows" if len(head) >= GIVE_UP else f"none of its {len(head):,} rows"
    said = f"{first.code} at line {first.line}: {first.problem}"
    return f"{file}: {among} can be read; {said}. Expected {EXPECTED}"


def _event(row: Row, layout: Layout, columns: Mapping[str, str], file: str) -> Event:
    if row.value is None:
        return Event(row.line, problem=row.problem, notices=row.notices)
    try:
        found = fit_or_flaw(row.value, layout, columns)
        made = make_record(row.value, found, row.line)
    except Flaw as flaw:
        return Event(row.line, problem=flaw.at(file, row.line), notices=row.notices)
    if not isinstance(made, Record):
        return Event(row.line, dropped=made, notices=row.notices)
    notices = (
        Problem(code=code, file=file, line=row.line, column=column, problem=said)
        for code, column, said in _odd(row.value, found, made)
    )
    return Event(row.line, record=made, notices=(*row.notices, *notices))


def _odd(row: Mapping[str, Any], found: Fit, made: Record) -> Iterator[tuple[str, str, str]]:
    """Code, column and words of what is odd about a row that is kept."""
    split = lookup(row, found.paths["split"]) if "split" in found.paths else None
    if made.split is None and split not in (None, ""):
        said = f"the split is {shorten(split)}; known are train, valid and test (validation, val, dev, eval)"
        yield "unknown_split", "split", said
    if "prompt" in found.paths and _repeats_prompt(made):
        yield "prompt_repeated", "prompt", "both answers begin with the prompt; leave out its column if they hold it"
    if made.kind == "ratings":
        for at, score in enumerate(lookup(row, found.paths["scores"]), 1):
            if score is None or score == "":
                yield "null_score", "scores", f"completion {at} has no score; it is left out of the row"


def _repeats_prompt(record: Record) -> bool:
    """Both answers hold the prompt once more, so that a model would read it twice."""
    prompt, sides = record.prompt, (record.chosen, record.rejected)
    return isinstance(prompt, str) and all(isinstance(side, str) and side.startswith(prompt) for side in sides)
