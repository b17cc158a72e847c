"""A file read, its records made into what another layout holds, and written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from operant.data.chat import to_chat, to_text
from operant.data.derive import PAIRS, Pairs
from operant.data.layouts import best_fit
from operant.data.layouts_out import TARGETS, Form, Target, Unfit
from operant.data.load import Loaded
from operant.data.records import Kind, Record
from operant.data.ways import derive_all, find_way
from operant.data.write import container, write_rows
from operant.errors import OperantError, UnknownName, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What became of a file's records; what happened in reading them is in the report of `load`."""

    kinds: tuple[Kind, ...]  # from the file's kind to the one that was written, step by step
    dropped: Mapping[str, int]  # after reading: records, or pairs of a record, that were left out, by reason
    written: int
    left_out: tuple[str, ...]  # columns that would be read as part of the layout, and are not written


class Rows(NamedTuple):
    rows: list[dict[str, Any]]
    dropped: dict[str, int]
    left_out: tuple[str, ...]


def rewrite(
    loaded: Loaded,
    out: str | Path,
    *,
    to: str,
    pairs: Pairs = "all",
    form: Form | None = None,
    force: bool = False,
) -> Rewritten:
    """Write a loaded file as layout `to`; the container is told by the name of `out`.

    Args:
        to: a name in TARGETS.
        pairs: which pairs ratings become; see derive.ratings_to_pairs.
        form: "text" or "chat" turns prompts and answers into it; None keeps them, unless the layout has only one form.
        force: replace what stands at `out`.
    Raises: NoWay, Unwritable, UnknownName, BadValue, or OperantError where nothing is left to write.
    """
    target, place = check_target(loaded.report.file, out, to=to, force=force), Path(out)
    require(pairs in PAIRS, "pairs", pairs, " or ".join(PAIRS))
    require(form in ("text", "chat", None), "form", form, "text, chat or none")
    way = find_way(loaded.kind, target.kinds, pairs=pairs, what=to)
    derived = derive_all(loaded.records, [step.make for step in way])
    kinds = (loaded.kind, *(step.end for step in way))
    formed = derive_all(derived.records, _form(kinds[-1], target.form or form))
    made = as_rows(formed.records, to)
    dropped = Counter(derived.dropped) + Counter(formed.dropped) + Counter(made.dropped)
    if not made.rows:
        said = ", ".join(f"{times:,} {why}" for why, times in dropped.items())
        raise OperantError(f"{loaded.report.file}: no row is left to write as {to}: {said}")
    write_rows(place, made.rows)
    return Rewritten(kinds=kinds, dropped=dict(dropped), written=len(made.rows), left_out=made.left_out)


def check_target(source: str | Path, out: str | Path, *, to: str, force: bool) -> Target:
    """The layout of this name, where `out` can be written. Raises as `rewrite` does, before anything is read."""
    target = find_target(to)
    _require_place(Path(source), Path(out), force=force)
    container(Path(out))
    return target


def find_target(name: str) -> Target:
    if name not in TARGETS:
        raise UnknownName("layout to write", name, TARGETS, see=f"known: {', '.join(TARGETS)}")
    return TARGETS[name]


def _require_place(source: Path, place: Path, *, force: bool) -> None:
    if place.exists() and source.exists() and place.samefile(source):
        raise OperantError(f"{place} is the file that is read; write to another name")
    if place.exists() and not force:
        raise OperantError(f"{place} exists; choose another name, or replace it with --force")
    if place.exists() and place.is_dir() != (not place.suffix):
        raise OperantError(f"{place} is {'a folder' if place.is_dir() else 'a file'}; remove it first")


def _form(kind: Kind, form: Form | None) -> list[Any]:
    """The step that turns records into a form; dialogues of kind messages and texts of kind text keep theirs."""
    if form is None or kind in ("messages", "text", "scored_text"):
        return []
    return [to_text if form == "text" else to_chat]


def as_rows(records: Sequence[Record], to: str) -> Rows:
    """Records as rows of a layout; the other columns of a record are written beside it where they change nothing."""
    target = find_target(to)
    rows: list[dict[str, Any]] = []
    dropped, clashes = Counter[str](), dict[str, bool]()
    for record in records:
        try:
            row = target.make(record)
        except Unfit as unfit:
            dropped[str(unfit)] += 1
            continue
        for name, value in record.columns.items():
            if name not in clashes:
                clashes[name] = _clashes(row, name, value)
            if name not in row and not clashes[name]:
                row[name] = value
        rows.append(row)
    return Rows(rows, dict(dropped), tuple(name for name, clash in clashes.items() if clash))


def _clashes(row: dict[str, Any], name: str, value: Any) -> bool:
    """Whether a column of this name is taken, or would make the row read as something else."""
    if name in row:
        return bool(row[name] != value)
    return best_fit({**row, name: True}, {}) != best_fit(row, {})
