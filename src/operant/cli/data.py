"""`operant data`: what is in a file of feedback, and the same rows in another layout. Loads no torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from operant.data.check import check as check_file
from operant.data.codes import CODES, Problem
from operant.data.layouts import parse_columns
from operant.data.report import CheckReport
from operant.errors import OperantError

SHOWN = 20
UNUSABLE, UNREADABLE = 1, 2
app = typer.Typer(no_args_is_help=True, help="Look at files of feedback, and convert them.")


@app.callback()
def data() -> None:
    """Look at files of feedback, and convert them."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file, a dataset folder, or owner/name.")],
    *,
    tokenizer: Annotated[Path | None, typer.Option(help="A folder with tokenizer.json; else characters count.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Say what this maximum would cut or drop.")] = None,
    columns: Annotated[str | None, typer.Option(help="ours=theirs,... where names differ.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Count and check every row. Exit status: 0 all can be used, 1 some cannot, 2 the file cannot be read."""
    try:
        report = check_file(
            file,
            columns=None if columns is None else parse_columns(columns),
            tokenizer=tokenizer,
            max_length=max_length,
        )
    except OperantError as error:
        typer.echo(printable(str(error), keep="\n"), err=True)
        raise typer.Exit(UNREADABLE) from None
    typer.echo(json.dumps(report.to_json(), indent=2) if as_json else printable(render(report), keep="\n"))
    if report.unusable:
        raise typer.Exit(UNUSABLE)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A file, a dataset folder, or owner/name.")],
    out: Annotated[Path, typer.Argument(help="What to write; its suffix says the container, no suffix is a folder.")],
    *,
    to: Annotated[str, typer.Option(help="The layout to write.")],
    columns: Annotated[str | None, typer.Option(help="ours=theirs,... where names differ.")] = None,
    on_bad_row: Annotated[str, typer.Option(help="stop or skip")] = "stop",
    pairs: Annotated[str, typer.Option(help="Pairs that ratings become: all or best-worst.")] = "all",
    form: Annotated[str | None, typer.Option("--as", help="text or chat; else as in the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write the rows in another layout. Exit status: 0 done, 1 some rows were unusable and skipped, 2 nothing done."""
    from operant.cli.data_convert import run_convert  # loaded only where something is converted

    try:
        told, unusable = run_convert(
            file, out, to=to, columns=columns, on_bad_row=on_bad_row, pairs=pairs, form=form, force=force
        )
    except OperantError as error:
        typer.echo(printable(str(error), keep="\n"), err=True)
        raise typer.Exit(UNREADABLE) from None
    typer.echo(printable(told, keep="\n"))
    if unusable:
        raise typer.Exit(UNUSABLE)


def printable(text: str, *, keep: str = "") -> str:
    """Text in which nothing acts on a terminal: control, format and unencodable characters become escapes."""
    safe = "".join(letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text)
    encoding = sys.stdout.encoding or "utf-8"
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def render(report: CheckReport) -> str:
    """The report in a screenful of plain text."""
    dropped = ", ".join(f"{times:,} {why.replace('_', ' ')}" for why, times in report.dropped.items() if times)
    rows = [
        f"{report.file}: {report.kind} ({report.layout})",
        f"rows      {report.rows:,}",
        f"kept      {report.kept:,}",
        f"unusable  {report.unusable:,}",
        f"dropped   {dropped or 0}",
    ]
    return "\n".join([*rows, *_lengths(report), *_cut(report), *_problems(report)])


def _lengths(report: CheckReport) -> list[str]:
    names = ("min", "median", "mean", "p95", "max")
    head = f"{report.lengths['unit']!s:12}" + "".join(f"{name:>10}" for name in names)
    lines = [
        f"{side:12}" + "".join(f"{_number(values[name]):>10}" for name in names)
        for side, values in report.lengths.items()
        if isinstance(values, dict)
    ]
    return ["", head, *lines] if lines else []


def _number(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) and value % 1 else f"{int(str(value).partition('.')[0]):,}"


def _cut(report: CheckReport) -> list[str]:
    if report.cut is None:
        return []
    cut = report.cut
    return [
        "",
        f"A maximum of {cut['max_length']} {cut['unit']} cuts {cut['rows']} rows ({cut['prompts']} prompts, "
        f"{cut['answers']} answers), drops {cut['dropped']}, leaves {cut['identical']} pairs identical.",
    ]


def _problems(report: CheckReport) -> list[str]:
    if not report.counts:
        return ["", "No problems."]
    table = [f"{times:>10,}  {code:20} {CODES[code][0]:7} {CODES[code][1]}" for code, times in _sorted(report)]
    worst_first = sorted(report.problems, key=lambda problem: problem.severity != "row")
    more = len(report.problems) > SHOWN
    rest = [f"... {len(report.problems) - SHOWN:,} more in the list; --json prints it whole."] if more else []
    return ["", "Problems:", *table, "", *map(_line, worst_first[:SHOWN]), *rest]


def _sorted(report: CheckReport) -> list[tuple[str, int]]:
    return sorted(report.counts.items(), key=lambda item: (CODES[item[0]][0] != "row", -item[1]))


def _line(problem: Problem) -> str:
    where = "file" if problem.line is None else f"line {problem.line}"
    column = f" [{problem.column}]" if problem.column else ""
    return printable(f"{where}{column} {problem.code}: {problem.problem}")
