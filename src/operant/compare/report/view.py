"""The report's rows as the page, the Markdown file and the terminal all show them: one line a method, best first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from operant.compare.report import digits

Json = dict[str, Any]
BASE = "base"
BELOW_CEILING = 0.95  # rows that spent less of the budget than this are marked


@dataclass(frozen=True, kw_only=True)
class Line:
    """A method over all its seeds."""

    name: str
    row: Json
    seeds: list[Json] = field(default_factory=list)
    against_base: Json | None = None  # its comparison with base on the primary metric

    @property
    def bad(self) -> bool:
        return self.row.get("status") != "done"

    @property
    def scorer(self) -> Json | None:
        return self.row.get("scorer")

    @property
    def only_scores(self) -> bool:
        return not self.bad and self.scorer is not None and digits.field(self.row.get("gold")) is None

    @property
    def failures(self) -> list[str]:
        """Why single seeds are missing from a row that is otherwise done."""
        lost = [row for row in self.seeds if row.get("status") != "done"]
        return [] if self.bad else [f"seed {row.get('seed')}: {row.get('why') or row['status']}" for row in lost]

    @property
    def without_kl(self) -> str:
        """Why the KL of an otherwise finished row is unknown; empty where it is known or nobody says."""
        kl = self.row.get("kl") or {}
        return "" if self.bad or kl.get("kind") != "none" else kl.get("why") or ""

    @property
    def idle(self) -> bool:
        """Trained, and left more than a twentieth of its budget unspent."""
        share = digits.known(self.row.get("budget_share"))
        return share is not None and 0 < share < BELOW_CEILING

    def cell(self, name: str) -> digits.Cell:
        """A cell of the row by its name; `diversity` and `metrics` are looked through."""
        row = self.row
        return row.get(name) or (row.get("diversity") or {}).get(name) or (row.get("metrics") or {}).get(name)

    def cost(self, name: str) -> float | None:
        return digits.field((self.row.get("cost") or {}).get(name))

    def flops(self, stage: str) -> float | None:
        """FLOPs of a stage (training, serving, tuning), forward and backward together."""
        names = [name for name in self.row.get("cost") or {} if name.startswith(stage + "/") and name.endswith("flops")]
        amounts = [amount for amount in map(self.cost, names) if amount is not None]
        return sum(amounts) if amounts else None


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a value stands between the two ends of a drawn line, in percent."""

    low: float
    high: float
    first: float  # the least value that is shown, and the greatest
    last: float

    def at(self, value: Any) -> float | None:
        got = digits.known(value)
        return None if got is None else round(100 * (got - self.low) / (self.high - self.low), 2)


def listed(report: Json, name: str) -> list[Json]:
    """A section that is a list; empty where the report has none."""
    return report.get(name) or []


def direction(report: Json, metric: str) -> str:
    return next((each["direction"] for each in report["task"]["metrics"] if each["name"] == metric), "up")


def lines(report: Json) -> list[Line]:
    """Every method once: best gold first, then the lines without gold, then those that did not run."""
    groups: dict[str, list[Json]] = {}
    for row in listed(report, "rows"):
        groups.setdefault(row["method"], []).append(row)
    made = [_line(report, name, rows) for name, rows in groups.items()]
    sign = -1 if direction(report, report["task"]["primary"]) == "up" else 1

    def rank(line: Line) -> tuple[bool, bool, float]:
        gold = digits.field(line.row.get("gold"))
        return line.bad, gold is None, sign * (gold or 0.0)

    return sorted(made, key=rank)


def _line(report: Json, name: str, rows: list[Json]) -> Line:
    seeds = [row for row in rows if row.get("seed") is not None]
    whole = next((row for row in rows if row.get("seed") is None), seeds[0] if seeds else rows[0])
    return Line(name=name, row=whole, seeds=seeds, against_base=_against_base(report, name))


def _against_base(report: Json, name: str) -> Json | None:
    primary = report["task"]["primary"]
    mine = [each for each in listed(report, "comparisons") if each["method"] == name and each["metric"] == primary]
    return next((each for each in mine if each["baseline"] == BASE), None)


def find(lined: Iterable[Line], name: str) -> Line | None:
    return next((line for line in lined if line.name == name), None)


def difference_places(report: Json) -> int:
    """Decimals for differences of the primary metric."""
    primary = report["task"]["primary"]
    return digits.places(
        {"mean": each.get("difference"), "low": each.get("low"), "high": each.get("high")}
        for each in listed(report, "comparisons")
        if each["metric"] == primary
    )


def verdict(comparison: Json | None, decimals: int) -> tuple[str, str]:
    """What was found, as a word and what stands behind it: ("better", "by 0.15")."""
    if comparison is None:
        return digits.NOTHING, ""
    word = comparison["verdict"]
    gap, seen = digits.known(comparison.get("difference")), digits.known(comparison.get("smallest_visible"))
    if word in ("better", "worse"):
        return word, "" if gap is None else f"by {digits.number(abs(gap), decimals)}"
    if word == "no detectable difference" and seen is not None:
        return word, f"{digits.number(seen, decimals)} or more would have been seen"
    return word, f"{comparison.get('unknown')} unknown" if comparison.get("unknown") else ""


def trust(finding: Json) -> str:
    """How often the finding's own test sees a planted effect, and one that is not there; empty where nobody tried."""
    power, alarms = digits.known(finding.get("power")), digits.known(finding.get("false_alarms"))
    if power is None or alarms is None:
        return ""
    planted, runs = digits.known(finding.get("planted")) or 0.0, digits.count(finding["runs"])
    return f"power {digits.percent(power)} for {planted:g}, false alarms {digits.percent(alarms)}, of {runs} tables"


def scale(cells: Iterable[digits.Cell], extra: Iterable[Any] = (), *, margin: float = 0.06) -> Scale:
    """A scale that holds the cells' intervals and some more values, with a margin."""
    every = [digits.field(cell, name) for cell in cells for name in ("low", "mean", "high")]
    values = [value for value in [*every, *map(digits.known, extra)] if value is not None] or [0.0, 1.0]
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1.0) * margin
    return Scale(low=low - room, high=high + room, first=low, last=high)


def slices(
    report: Json, order: list[str]
) -> tuple[dict[str, list[str]], dict[str, dict[tuple[str, str], digits.Cell]]]:
    """The values of each column, and each method's gold at each (column, value), methods in the order given."""
    columns: dict[str, list[str]] = {}
    found: dict[str, dict[tuple[str, str], digits.Cell]] = {}
    for each in listed(report, "slices"):
        column, value = str(each["column"]), str(each["value"])
        if value not in columns.setdefault(column, []):
            columns[column].append(value)
        found.setdefault(each["method"], {})[column, value] = each.get("gold")
    place = {name: index for index, name in enumerate(order)}
    return columns, dict(sorted(found.items(), key=lambda item: place.get(item[0], len(place))))


def cost_names(lined: Iterable[Line]) -> list[str]:
    """Names of the costs that anybody had, training first, then tuning, then serving."""
    stages = ("training", "tuning", "serving")
    spent = {name for line in lined for name in line.row.get("cost") or {} if line.cost(name)}
    return sorted(spent, key=lambda name: (stages.index(stage) if (stage := name.split("/")[0]) in stages else 9, name))


def remark(curve: Json) -> str:
    """Says where gold turned down while the proxy did not, if the intervals leave no doubt; else nothing."""
    points = [point for point in curve["points"] if digits.field(point.get("gold")) is not None]
    if len(points) < 2:
        return ""
    best, last = max(points, key=lambda point: point["gold"]["mean"]), points[-1]
    low, high = digits.field(best["gold"], "low"), digits.field(last["gold"], "high")
    before, after = digits.field(best.get("proxy")), digits.field(last.get("proxy"))
    if low is None or high is None or before is None or after is None or high >= low or after <= before:
        return ""
    fell = f"from {digits.number(best['gold']['mean'])} to {digits.number(last['gold']['mean'])}"
    return f"Past {curve['knob']} {best['value']} gold falls {fell} while the proxy goes on rising."
