"""The table of results.json, in the marked places of README.md and docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.build_pages import filled

from benchmarks.line import Line

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs/performance.md"
PLACE = "speed-table"

Results = Mapping[str, Sequence[Mapping[str, Any]]]  # of each measure, the last on every machine that it ran on


def fill(results: Results) -> None:
    for path, wanted in ((README, brief(results)), (PAGE, results)):
        path.write_text(filled(path.read_text("utf-8"), PLACE, tables(wanted)), "utf-8")


def brief(results: Results) -> Results:
    """Of every measure the first line, and those whose floor is not reached in most rounds."""
    return {name: [{**measure, "lines": _telling(measure)} for measure in found] for name, found in results.items()}


def _telling(measure: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [line for at, line in enumerate(measure["lines"]) if not at or Line(**line).doubtful]


def tables(results: Results) -> str:
    """A table for every machine: its processor may be good at what another's is not."""
    measures = [measure for found in results.values() for measure in found]
    machines = dict.fromkeys(measure["machine"] for measure in measures)
    return "\n\n".join(table([one for one in measures if one["machine"] == name]) for name in machines)


def table(measures: Sequence[Mapping[str, Any]]) -> str:
    """A line a ratio: the median of its rounds with their range, the floor that was set, and whether it holds."""
    lines = ["| What | Against | Measured | Floor | Aim | |", "| --- | --- | --- | --- | --- | --- |"]
    for measure in measures:
        lines += [f"| {' | '.join(cells(Line(**line)))} |" for line in measure["lines"]]
    return "\n".join([*lines, "", *(f"{about}." for about in dict.fromkeys(map(circumstances, measures)))])


def cells(line: Line) -> Sequence[str]:
    bound = "at most " if line.most else ""
    verdict = f"**{line.verdict}**" if line.doubtful else line.verdict
    return line.what, line.against, line.measured, f"{bound}{line.floor:g}", f"{bound}{line.aim:g}", verdict


def circumstances(measure: Mapping[str, Any]) -> str:
    rounds = len(measure["lines"][0]["values"])
    return f"{measure['date']}, {measure['machine']}, torch {measure['torch']}, {rounds} rounds"
