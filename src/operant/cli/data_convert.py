"""`operant data convert FILE OUT --to LAYOUT`: read, derive, write, and say what became of every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operant.data.layouts import parse_columns
from operant.data.load import Loaded, load
from operant.data.rewrite import Rewritten, check_target, rewrite


def run_convert(
    file: Path, out: Path, *, to: str, columns: str | None, on_bad_row: Any, pairs: Any, form: Any, force: bool
) -> tuple[str, int]:
    """What to tell, and how many rows could not be used. Raises OperantError before anything is written."""
    check_target(file, out, to=to, force=force)
    given = None if columns is None else parse_columns(columns)
    loaded = load(file, columns=given, on_bad_row=on_bad_row)
    made = rewrite(loaded, out, to=to, pairs=pairs, form=form, force=force)
    return render(loaded, made, out, to), loaded.report.unusable


def render(loaded: Loaded, made: Rewritten, out: Path, to: str) -> str:
    """A few lines of plain text: rows in, what was lost and why, rows out."""
    report = loaded.report
    after = list(made.dropped.items())
    before = [(why.replace("_", " "), times) for why, times in report.dropped.items() if times]
    lines = [
        f"{report.file}: {report.kind} ({report.layout})",
        f"rows      {report.rows:,}",
        f"kept      {report.kept:,}",
        f"unusable  {report.unusable:,}",
        f"dropped   {_counts(before)}",
    ]
    if len(made.kinds) > 1:
        lines.append(f"made      {' -> '.join(made.kinds)}")
    if after:
        lines.append(f"left out  {_counts(after)}")
    if made.left_out:
        lines.append(f"columns   {', '.join(made.left_out)} not written: they would be read as part of the layout")
    return "\n".join([*lines, f"written   {made.written:,} rows of {to} to {out}"])


def _counts(counts: list[tuple[str, int]]) -> str:
    return ", ".join(f"{times:,} {why}" for why, times in counts) or "0"
