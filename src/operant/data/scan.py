"""Reader and layout together: one event per row, in the order of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from operant.data.codes import Flaw, Problem, shorten
from operant.data.convert import make_record
from operant.data.files import UnreadableData
from operant.data.layouts import Layout, check_columns, choose, fit_or_flaw, lookup
from operant.data.read import MIB, Row, read_rows
from operant.data.records import Record
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
    rows = read_rows(Path(path))
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
    expected = "JSON Lines (one object a line), a JSON array of objects, or CSV"
    return f"{file}: {among} can be read; {said}. Expected {expected}"


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
    split = lookup(row.value, found.paths["split"]) if "split" in found.paths else None
    said: dict[str, str] = {}
    if made.split is None and split not in (None, ""):
        said["split"] = f"the split is {shorten(split)}; known are train, valid and test (validation, val, dev, eval)"
    if "prompt" in found.paths and _repeats_prompt(made):
        said["prompt"] = "both answers begin with the prompt; leave out its column if they hold it"
    codes = {"split": "unknown_split", "prompt": "prompt_repeated"}
    notices = (Problem(code=codes[at], file=file, line=row.line, column=at, problem=what) for at, what in said.items())
    return Event(row.line, record=made, notices=(*row.notices, *notices))


def _repeats_prompt(record: Record) -> bool:
    """Both answers hold the prompt once more, so that a model would read it twice."""
    prompt, sides = record.prompt, (record.chosen, record.rejected)
    return isinstance(prompt, str) and all(isinstance(side, str) and side.startswith(prompt) for side in sides)
