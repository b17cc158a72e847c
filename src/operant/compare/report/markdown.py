"""report.md: the page's tables as plain Markdown, for a pull request or an e-mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from operant.compare.report import digits, filters, view
from operant.compare.report.escape import fenced
from operant.compare.report.escape import markdown as md
from operant.compare.report.terminal import TITLES
from operant.compare.report.view import Json, Line

SHOWN_WORSE = 3  # answers that got worse; the page shows all


def markdown(report: Json) -> str:
    """The whole file. The same report gives the same text."""
    lines = view.lines(report)
    shown = [line for line in lines if not line.only_scores]
    parts = [
        [f"# {md(report['title'])}", "", _task(report)],
        _advice(report),
        _titled("Result", _result(report, shown)),
        _titled("Comparisons", _comparisons(report)),
        _titled("Findings", _findings(report)),
        _titled("Scorers", _scorers(lines)),
        _titled("Proxy and gold by knob", _curves(report)),
        _titled("Best of n", _best_of_n(report)),
        _titled("Answers that got worse than base", _worse(report)),
        _titled("Slices", _slices(report, lines)),
        _titled("Chosen settings", _settings(report)),
        _titled("Costs", _costs(lines)),
        _titled("Break-even", _break_even(report)),
        _titled("Data", _tree(report.get("data"))),
        _titled("A/A control", _control(report)),
        _titled("How to repeat this", _repeat(report)),
    ]
    return "\n".join("\n".join([*part, ""]) for part in map(list, parts) if part)


def _titled(title: str, body: Iterable[str]) -> list[str]:
    body = list(body)
    return [f"## {title}", "", *body] if body else []


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table: cells are escaped here, once. Nothing at all where there are no rows."""
    rows = [[md(cell) or " " for cell in row] for row in rows]
    if not rows:
        return []
    head = [md(title) for title in heads]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def cell(value: digits.Cell, decimals: int | None = None) -> str:
    """0.634 [0.613, 0.655], 3 unknown"""
    places = digits.places([value]) if decimals is None else decimals
    unknown = digits.field(value, "unknown")
    mean = f"{digits.number(digits.field(value), places)} {digits.interval(value, places)}".strip()
    return f"{mean}, {digits.count(unknown)} unknown" if unknown else mean


def _task(report: Json) -> str:
    task = report["task"]
    return f"Task {md(task['name'])}; gold is {md(task['primary'])} ({md(task['gold_kind'])}). The page: report.html."


def _advice(report: Json) -> list[str]:
    told = [f"- **{title}.** {md(text)}" for title, text in zip(TITLES, report.get("advice") or [], strict=False)]
    return told + (["", fenced(report["use"])] if report.get("use") else [])


def _result(report: Json, shown: list[Line]) -> list[str]:
    heads = ("Method", "Gold", "Against base", "Proxy", "KL", "Length", "Distinct-2", "Training", "Budget", "Serving")
    serving = filters.of_report(shown)["serving"]
    gold, proxy = (digits.places(line.cell(name) for line in shown) for name in ("gold", "proxy"))
    rows = []
    for line in shown:
        if line.bad:
            status = str(line.row["status"]).replace("_", " ")
            rows.append([line.name, digits.NOTHING, f"{status}: {line.row.get('why') or 'no reason given'}", *[""] * 7])
            continue
        verdict = " ".join(filter(None, view.verdict(line.against_base, view.difference_places(report))))
        rows.append([line.name, cell(line.cell("gold"), gold), verdict, cell(line.cell("proxy"), proxy),
                     digits.kl(line.cell("kl"), 2), filters.mean(line.cell("length"), 1),
                     filters.mean(line.cell("distinct_2"), 2), digits.flops(line.flops("training")),
                     digits.percent(line.row.get("budget_share")), serving(line)])  # fmt: skip
    notes = [f"- {md(line.name)}: {md(failure)}" for line in shown for failure in line.failures]
    notes += [f"- {md(line.name)}: KL is not known: {md(line.without_kl)}" for line in shown if line.without_kl]
    legend = "KL in nats to base: ≈ estimated, ≤ bounded, = exact, – not known. Intervals are 95%."
    return [*table(heads, rows), "", legend, *notes]


def _comparisons(report: Json) -> list[str]:
    heads = (
        "Method",
        "Against",
        "Metric",
        "Difference",
        "p",
        "p, Holm",
        "Verdict",
        "Smallest visible",
        "Prompts × seeds",
    )
    rows = []
    for each in view.listed(report, "comparisons"):
        found: Json = {"mean": each["difference"], "low": each["low"], "high": each["high"]}
        note = " (these seeds only)" if each.get("for_these_seeds_only") else ""
        unknown = f", {each['unknown']} unknown" if each.get("unknown") else ""
        rows.append([each["method"], each["baseline"], each["metric"], cell(found), digits.p_value(each["p"]),
                     digits.p_value(each["p_holm"]), f"{each['verdict']}{note}{unknown}",
                     digits.number(each["smallest_visible"], digits.places([found])),
                     f"{digits.count(each['n_prompts'])} × {digits.count(each['n_seeds'])}"])  # fmt: skip
    return table(heads, rows)


def _findings(report: Json) -> list[str]:
    heads = ("Method", "Finding", "Effect", "Unit", "What its test sees")
    rows = [
        [each["method"], each["name"], cell(each["effect"]), each["unit"], view.trust(each)]
        for each in view.listed(report, "findings")
    ]
    return table(heads, rows)


def _scorers(lines: list[Line]) -> list[str]:
    rows = []
    for line in lines:
        scorer = line.scorer or {}
        rows += [[line.name, subset, cell(got, 3)] for subset, got in (scorer.get("accuracy") or {}).items()]
        if scorer.get("agreement") is not None:
            rows.append([line.name, "agreement of seeds", digits.number(scorer["agreement"], 3)])
        if scorer.get("calibration"):
            rows.append([line.name, "calibration error (ECE)", digits.number(scorer["calibration"]["ece"], 3)])
    return table(("Scorer", "Accuracy on", "Value"), rows)


def _curves(report: Json) -> list[str]:
    rows = [
        [curve["method"], f"{curve['knob']} {filters.plain(point['value'])}", digits.kl(point.get("kl"), 2),
         cell(point.get("gold")), cell(point.get("proxy"))]
        for curve in view.listed(report, "curves") for point in curve["points"]
    ]  # fmt: skip
    remarks = [f"- {md(curve['method'])}: {md(view.remark(curve))}" for curve in view.listed(report, "curves")
               if view.remark(curve)]  # fmt: skip
    return [*table(("Method", "Knob", "KL", "Gold", "Proxy"), rows), *([""] if remarks else []), *remarks]


def _best_of_n(report: Json) -> list[str]:
    series = view.listed(report, "best_of_n")
    return table(
        ("Scorer", "n", "Gold"), [[s["method"], str(p["n"]), cell(p.get("gold"))] for s in series for p in s["points"]]
    )


def _worse(report: Json) -> Iterator[str]:
    for each in view.listed(report, "worse")[:SHOWN_WORSE]:
        fall = f"{digits.number(each['base_gold'], 2)} → {digits.number(each['gold'], 2)}"
        yield f"**{md(each['method'])}**, gold {md(fall)}: prompt, base's answer, its answer"
        yield from ("", fenced(each["prompt"]), "", fenced(each["base"]), "", fenced(each["answer"]), "")


def _slices(report: Json, lines: list[Line]) -> Iterator[str]:
    columns, found = view.slices(report, [line.name for line in lines])
    for column, values in columns.items():
        rows = [[name, *(cell(cells.get((column, value))) for value in values)] for name, cells in found.items()]
        yield from (f"By {md(column)}:", "", *table(("Method", *values), rows), "")


def _settings(report: Json) -> list[str]:
    return table(
        ("Method", "Trials", "Chosen"),
        [[e["method"], str(e["trials"]), filters.assignments(e["chosen"])] for e in view.listed(report, "settings")],
    )


def _costs(lines: list[Line]) -> list[str]:
    names = view.cost_names(lines)
    rows = [[line.name, *(digits.cost(name, line.cost(name)) for name in names)] for line in lines if names]
    return table(("Method", *(name.replace("_", " ") for name in names)), rows)


def _break_even(report: Json) -> list[str]:
    rows = [[e["decode_time"], e["trained"], digits.count(e["answers"])] for e in view.listed(report, "break_even")]
    return table(("At decoding time", "Trained", "Dearer beyond this many answers"), rows)


def _control(report: Json) -> list[str]:
    rows = [
        [name, digits.percent(found["false_alarms"]), f"{digits.percent(found['low'])} to "
         f"{digits.percent(found['high'])}", digits.count(found["draws"])]
        for name, found in sorted((report.get("aa") or {}).items()) if found
    ]  # fmt: skip
    return table(("Test of a policy against itself", "False alarms", "95% interval", "Draws"), rows)


def _repeat(report: Json) -> list[str]:
    command = [fenced(report["command"]), ""] if report.get("command") else []
    return command + list(_tree(report.get("environment")))


def _tree(value: Any, depth: int = 0) -> Iterator[str]:
    """Any JSON as a nested list."""
    items = (
        value.items() if isinstance(value, Mapping) else enumerate(value or [], 1) if isinstance(value, list) else ()
    )
    for key, each in items:
        nested = isinstance(each, Mapping | list)
        yield f"{'  ' * depth}- {md(str(key))}:" + ("" if nested else f" {md(filters.plain(each))}")
        if nested:
            yield from _tree(each, depth + 1)
