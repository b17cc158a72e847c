"""The table of results.json, in the marked places of README.md and docs/performance.md."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.build_pages import filled

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs/performance.md"
PLACE = "speed-table"


def fill(results: Mapping[str, Any]) -> None:
    for path, wanted in ((README, brief(results)), (PAGE, results)):
        path.write_text(filled(path.read_text("utf-8"), PLACE, table(wanted)), "utf-8")


def brief(results: Mapping[str, Any]) -> dict[str, Any]:
    """Of every measure the first line, and whatever does not hold."""
    return {
        name: measure | {"lines": [line for at, line in enumerate(measure["lines"]) if not at or not line["holds"]]}
        for name, measure in results.items()
    }


def table(results: Mapping[str, Any]) -> str:
    """A line a ratio: the median of its rounds with their range, the floor that was set, and whether it holds."""
    lines = ["| What | Against | Measured | Floor | Aim | |", "| --- | --- | --- | --- | --- | --- |"]
    for measure in results.values():
        lines += [f"| {' | '.join(cells(line))} |" for line in measure["lines"]]
    return "\n".join([*lines, "", *(f"{about}." for about in dict.fromkeys(map(circumstances, results.values())))])


def cells(line: Mapping[str, Any]) -> Sequence[str]:
    low, high = min(line["values"]), max(line["values"])
    bound = "at most " if line["most"] else ""
    measured = f"{statistics.median(line['values']):.2f} ({low:.2f} to {high:.2f})"
    verdict = "holds" if line["holds"] else "**does not hold**"
    return line["what"], line["against"], measured, f"{bound}{line['floor']:g}", f"{bound}{line['aim']:g}", verdict


def circumstances(measure: Mapping[str, Any]) -> str:
    rounds = len(measure["lines"][0]["values"])
    return f"{measure['date']}, {measure['machine']}, torch {measure['torch']}, {rounds} rounds"
