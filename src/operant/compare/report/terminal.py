"""The result in a terminal: one line a method, the advice, and where the page lies."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from operant.compare.report import digits, view
from operant.compare.report.escape import one_line
from operant.compare.report.view import BASE, Json, Line

STYLES = {"better": "bold green", "worse": "bold red", "failed": "red", "not comparable": "yellow"}
TITLES = ("Best at equal cost", "Best at your served volume", "What not to trust")


def terminal(report: Json, path: Path | None = None) -> RenderableType:
    """The table, the advice, the command that uses the winner, and `path`, where the page was written."""
    lines = [line for line in view.lines(report) if not line.only_scores]
    parts: list[RenderableType] = [Text(one_line(report["title"]), style="bold"), Text(), _table(report, lines), Text()]
    parts += [_reason(line) for line in lines if line.bad]
    parts += [_finding(each) for each in view.listed(report, "findings") if view.trust(each)]
    parts += [
        Text.assemble((f"{title}: ", "bold"), one_line(text))
        for title, text in zip(TITLES, report.get("advice") or [], strict=False)
    ]
    if report.get("use"):
        parts.append(Text.assemble(("Use it: ", "bold"), one_line(report["use"])))
    if path is not None:
        parts.append(Text.assemble(("Report: ", "bold"), one_line(str(path))))
    return Group(*parts)


def _table(report: Json, lines: list[Line]) -> Table:
    """Cells are Text, never markup: what looks like a tag or a link is printed as it stands."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, show_edge=False)
    table.add_column("method", overflow="fold", min_width=14)
    for title in ("gold", "vs base", "proxy", "KL", "length", "training"):
        table.add_column(title, justify="left" if title == "vs base" else "right", overflow="fold")
    gold = digits.places(line.row.get("gold") for line in lines)
    for line in lines:
        bad = [Text(digits.NOTHING), Text(_status(line), style=STYLES.get(str(line.row["status"]), "dim"))]
        table.add_row(_name(line), *(bad if line.bad else _cells(line, gold, view.difference_places(report))))
    return table


def _name(line: Line) -> Text:
    """The row's name, its settings on a line of their own."""
    slug, colon, settings = one_line(line.name).partition(":")
    return Text(f"{slug}\n  :{settings}" if colon else slug, style="bold" if line.name == BASE else "")


def _status(line: Line) -> str:
    return one_line(str(line.row["status"]).replace("_", " "))


def _reason(line: Line) -> Text:
    style = STYLES.get(str(line.row["status"]), "dim")
    return Text.assemble(
        (f"{one_line(line.name)}: {_status(line)}: ", style), one_line(line.row.get("why") or "no reason")
    )


def _finding(each: Json) -> Text:
    """One that says how far it can be trusted; the others stand in the report alone."""
    effect, places = each["effect"], digits.places([each["effect"]])
    said = f"{digits.number(effect['mean'], places, signed=True)} {digits.interval(effect, places)} {each['unit']}"
    return Text.assemble(
        (f"{one_line(each['method'])}: ", "bold"), f"{one_line(each['name'])}: {said} ({view.trust(each)})"
    )


def _cells(line: Line, gold: int, difference: int) -> list[Text]:
    row = line.row
    texts = (
        digits.number(digits.field(row.get("proxy")), 2),
        digits.kl(row.get("kl"), 2),
        digits.number(digits.field(row.get("length")), 1),
        digits.flops(line.flops("training")),
    )
    verdict = Text(digits.NOTHING) if line.name == BASE else _verdict(line, difference)
    return [Text(digits.plus_minus(row.get("gold"), gold), no_wrap=True), verdict, *map(Text, texts)]


def _verdict(line: Line, decimals: int) -> Text:
    word, why = view.verdict(line.against_base, decimals)
    seeds_only = bool(line.against_base and line.against_base.get("for_these_seeds_only"))
    text = Text(one_line(word), style=STYLES.get(word, ""))
    text.append(f" {one_line(why)}" if why else "", style="not bold default")
    return text.append(" (these seeds only)" if seeds_only else "", style="yellow")
