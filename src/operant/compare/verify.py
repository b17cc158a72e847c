"""Test a card's claims at equal budget and tuning; every attempt is kept."""

from __future__ import annotations

import ast
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from operant.card import Claim
from operant.compare.assemble import environment
from operant.compare.main import compare
from operant.compare.options import Options
from operant.compare.runner import Event
from operant.disk import content_hash, read_json, write_json
from operant.errors import OperantError
from operant.evidence import read_evidence
from operant.methods import card, slugs, sources

ORDER = ("not reproduced", "inconclusive", "not tested", "reproduced")  # worst first
ROOT = Path(__file__).parents[1]


def verify(slug: str, *, seeds: int, trials: int, evidence: Path, workers: int | None, told: Event) -> dict[str, Any]:
    """One attempt, appended to evidence/<slug>.json; returns it."""
    claims = card(slug).claims
    if not claims:
        raise OperantError(f"{slug} makes no claims, so there is nothing to verify")
    by_task = {task: [claim for claim in claims if claim.task == task] for task in {claim.task for claim in claims}}
    attempt: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(), "seeds": seeds, "trials": trials,
        "environment": environment(), "source": source_hash(slug), "claims": [], "rows": [],
    }  # fmt: skip
    for task, some in sorted(by_task.items()):
        names = ["base", slug, *(claim.row or slug for claim in some), *(claim.against for claim in some)]
        rows = tuple(dict.fromkeys(names))
        run = compare(
            Options(methods=rows, task=task, seeds=seeds, trials=trials), keep="none", workers=workers, told=told
        )
        report = read_json(run / "report.json")
        attempt["claims"] += [judge(claim, slug, report) for claim in some]
        attempt["rows"] += [row for row in report["rows"] if row["seed"] is None]
        attempt["curves"] = attempt.get("curves", []) + report["curves"]
        attempt["settings"] = attempt.get("settings", []) + report["settings"]
    path = evidence / f"{slug}.json"
    attempts = (read_json(path)["attempts"] if path.is_file() else []) + [attempt]
    verdict = min((claim["verdict"] for claim in attempt["claims"]), key=ORDER.index)
    write_json(path, {"slug": slug, "verdict": verdict, "attempts": attempts})
    return attempt


def judge(claim: Claim, slug: str, report: dict[str, Any]) -> dict[str, Any]:
    """The unadjusted 95% interval, with the claimed side counted positive, against 0 and the smallest effect."""
    row = claim.row or slug
    found = next(
        (
            one
            for one in report["comparisons"]
            if (one["method"], one["baseline"], one["metric"]) == (row, claim.against, claim.metric)
        ),
        None,
    )
    about = {"task": claim.task, "row": row, "metric": claim.metric, "direction": claim.direction,
             "against": claim.against, "smallest": claim.smallest}  # fmt: skip
    if found is None or found["low"] is None:
        nothing = dict.fromkeys(("difference", "low", "high", "p"))
        return {**about, **nothing, "verdict": "not tested"}
    sign = 1 if claim.direction == "up" else -1
    low, high = sorted((sign * found["low"], sign * found["high"]))
    about |= {key: found[key] for key in ("difference", "low", "high", "p")}
    return {**about, "verdict": verdict_of(sign * found["difference"], low, high, smallest=claim.smallest)}


def verdict_of(difference: float, low: float, high: float, *, smallest: float) -> str:
    """Reproduced: wholly above 0 and the difference reaches `smallest`. Not reproduced: wholly below `smallest`."""
    if low > 0 and difference >= smallest:
        return "reproduced"
    return "not reproduced" if high < smallest or high <= 0 else "inconclusive"


def stale() -> list[str]:
    """Methods whose evidence was made with other source than today's."""
    found = []
    for slug in slugs():
        evidence = read_evidence(slug)
        if evidence and evidence["attempts"][-1]["source"] != source_hash(slug):
            found.append(slug)
    return found


def source_hash(slug: str) -> str:
    """Of the operant modules that the method imports, transitively, and its needs'."""
    wanted = [sources()[name] for name in (slug, *card(slug).needs)]
    seen: set[Path] = set()
    while wanted:
        path = wanted.pop()
        if path not in seen:
            seen.add(path)
            wanted += imported(path)
    return content_hash([path.read_text(encoding="utf-8") for path in sorted(seen)])


@cache
def imported(path: Path) -> tuple[Path, ...]:
    """Files of this package that a file imports by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names += [f"{node.module}.{alias.name}" for node in ast.walk(tree)
              if isinstance(node, ast.ImportFrom) and node.module for alias in node.names]  # fmt: skip
    found = []
    for name in names:
        if name.startswith("operant."):
            part = ROOT.joinpath(*name.split(".")[1:])
            found += [one for one in (part.with_suffix(".py"), part / "__init__.py") if one.is_file()]
    return tuple(found)


if __name__ == "__main__":
    names = stale()
    sys.stdout.write(f"stale evidence: {', '.join(names)}\n" if names else "no stale evidence\n")
