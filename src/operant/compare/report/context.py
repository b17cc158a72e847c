"""What the page's templates are given: lines, scales, decimals, figures, and which sections have anything to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from operant.compare.report import digits, plots, view
from operant.compare.report.view import BASE, Json, Line

LISTS = (
    "rows",
    "comparisons",
    "findings",
    "curves",
    "best_of_n",
    "advice",
    "examples",
    "worse",
    "slices",
    "settings",
    "break_even",
)
SETS = {"distinct_1": "distinct-1", "distinct_2": "distinct-2", "self_bleu": "self-BLEU"}  # others as they are
MAPS = ("aa", "data", "environment", "measured")
TRIVIAL = ("longer wins", "always second")
TRUSTWORTHY_SEEDS = 3  # below, an interval holds for these seeds only


def context(report: Json) -> Json:
    """Everything the templates name."""
    given = {name: value for name, value in report.items() if value is not None}
    report = {**{name: [] for name in LISTS}, **{name: {} for name in MAPS}, "use": "", "command": "", **given}
    lines = view.lines(report)
    shown = [line for line in lines if not line.only_scores]
    base = view.find(lines, BASE)
    seeds = {row["seed"] for line in lines for row in line.seeds}
    parts: Json = {
        "report": report, "lines": lines, "shown": shown, "base_gold": _mean(base, "gold"),
        "num_seeds": len(seeds), "few_seeds": 0 < len(seeds) < TRUSTWORTHY_SEEDS,
        "num_prompts": max((each.get("n_prompts") or 0 for each in report["comparisons"]), default=0),
        "idle": any(line.idle for line in shown), "places": _places(report, shown),
        "scales": {"gold": _scale(shown, "gold", base)}, "strip_columns": _strip_columns(shown, base),
        "metric_columns": _metric_columns(report, shown), "comparisons": _comparisons(report),
        "primary_direction": view.direction(report, report["task"]["primary"]),
        "scorers": [line for line in lines if line.scorer], "subsets": _subsets(lines),
        "findings": [(each, view.trust(each)) for each in report["findings"]],
        "slices": view.slices(report, [line.name for line in lines]), "cost_names": view.cost_names(lines),
        "plots": _plots(report, shown, lines, base),
    }  # fmt: skip
    return {**parts, "has": _has(report, parts)}


def _has(report: Json, parts: Json) -> dict[str, bool]:
    """Which sections have content, by id."""
    drawn = parts["plots"]
    content = {
        "result": parts["shown"], "gaming": drawn["curves"] or drawn["undrawn"],
        "price": drawn["price"] or report["break_even"],
        "seeds": parts["num_seeds"], "comparisons": report["comparisons"], "scorers": parts["scorers"],
        "findings": report["findings"],
        "best_of_n": drawn["best_of_n"], "worse": report["worse"], "reader": report["examples"],
        "slices": report["slices"], "metrics": parts["metric_columns"], "settings": report["settings"],
        "costs": parts["cost_names"], "data": report["data"], "control": any((report["aa"] or {}).values()),
        "repeat": report["command"],
    }  # fmt: skip
    return {name: bool(value) for name, value in content.items()}


def _mean(line: Line | None, name: str) -> float | None:
    return digits.field(line.cell(name)) if line else None


def _column(lines: Iterable[Line], name: str) -> list[digits.Cell]:
    return [line.cell(name) for line in lines]


def _places(report: Json, shown: Sequence[Line]) -> dict[str, int]:
    """Decimals of each column, the same for all its rows."""
    columns = {name: digits.places(_column(shown, name)) for name in ("gold", "proxy")}
    sliced = digits.places(each.get("gold") for each in report["slices"])
    return {**columns, "kl": 2, "difference": view.difference_places(report), "slices": sliced}


def _scale(lines: Sequence[Line], name: str, base: Line | None) -> view.Scale:
    seeds = [digits.field(row.get(name)) for line in lines for row in line.seeds]
    return view.scale(_column(lines, name), [*seeds, _mean(base, name)])


def _strip_columns(shown: Sequence[Line], base: Line | None) -> list[Json]:
    titles = {"gold": "Gold", "proxy": "Proxy", "kl": "KL", "length": "Length"}
    return [
        {"name": name, "title": title, "scale": _scale(shown, name, base), "base": _mean(base, name)}
        for name, title in titles.items()
        if any(digits.field(cell) is not None for cell in _column(shown, name))
    ]


def _metric_columns(report: Json, shown: Sequence[Line]) -> list[Json]:
    """The task's metrics and what else is measured of answers; columns that nobody filled are left out."""
    arrows = {"up": "↑", "down": "↓"}
    named = [(each["name"], each["name"], arrows[each["direction"]]) for each in report["task"]["metrics"]]
    named += [("own_reward", "own reward", ""), ("length", "length", "")]
    sets = dict.fromkeys(name for line in shown for name in line.row.get("diversity") or {})
    named += [(name, SETS.get(name, name.replace("_", " ")), "") for name in sets]
    return [
        {"name": name, "title": title, "arrow": arrow, "places": digits.places(_column(shown, name))}
        for name, title, arrow in named
        if any(digits.field(cell) is not None for cell in _column(shown, name))
    ]


def _comparisons(report: Json) -> list[tuple[str, list[Json], int, view.Scale]]:
    """Comparisons by metric, the primary one first, each with its decimals and the scale of its bars."""
    primary = report["task"]["primary"]
    metrics = dict.fromkeys(each["metric"] for each in report["comparisons"])
    tables = []
    for metric in sorted(metrics, key=lambda name: name != primary):
        rows = [each for each in report["comparisons"] if each["metric"] == metric]
        cells = [{"mean": each["difference"], "low": each["low"], "high": each["high"]} for each in rows]
        tables.append((metric, rows, digits.places(cells), view.scale(cells, [0.0])))
    return tables


def _subsets(lines: Sequence[Line]) -> list[str]:
    """Subsets of the scorers' accuracy: all of it first, the trivial judges last."""
    named = dict.fromkeys(name for line in lines for name in ((line.scorer or {}).get("accuracy") or {}))
    return sorted(named, key=lambda name: (name in TRIVIAL, name != "all"))


def _plots(report: Json, shown: Sequence[Line], lines: Sequence[Line], base: Line | None) -> Json:
    gold = report["task"]["primary"]
    price = (
        ("Gold against distance from base", "● estimate, ■ exact, ◀ bound", plots.gold_against_kl(shown, gold)),
        ("Gold against training", "", plots.gold_against_training(shown, gold)),
        ("Gold against serving", "", plots.gold_against_serving(shown, gold)),
    )
    curves = plots.over_optimisation(report["curves"], base)
    return {
        "price": [each for each in price if each[-1]],
        "curves": [(curve, plot, view.remark(curve)) for curve, plot in curves],
        "undrawn": sorted({each["method"] for each in report["curves"]} - {curve["method"] for curve, _ in curves}),
        "best_of_n": plots.best_of_n(report["best_of_n"], gold),
        "calibration": _calibrations(lines),
    }


def _calibrations(lines: Sequence[Line]) -> list[tuple[str, Markup]]:
    charts: list[tuple[str, Any]] = []
    for line in lines:
        calibration = (line.scorer or {}).get("calibration")
        if calibration:
            charts.append((line.name, plots.calibration(calibration["bins"], line.name)))
    return [(name, chart) for name, chart in charts if chart]
