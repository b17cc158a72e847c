"""Test a card's claims at equal budget and tuning; every attempt is kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from operant.card import Claim
from operant.compare.assemble import environment
from operant.compare.main import compare
from operant.compare.options import Options
from operant.compare.runner import Event
from operant.compare.source import source_hash
from operant.disk import read_json, write_json
from operant.errors import OperantError
from operant.evidence import read_evidence
from operant.methods import card
from operant.methods import slugs as all_slugs

ORDER = ("not reproduced", "inconclusive", "not tested", "reproduced")  # worst first


def verify(
    slugs: Sequence[str], *, extra: Sequence[str] = (), seeds: int, trials: int, evidence: Path, workers: int | None,
    told: Event,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """One attempt for each method, appended to evidence/<slug>.json; returns them by slug.

    Methods that are verified together share one comparison per task, and with it base, proxies and controls. `extra`
    rows stand in it for the eye; no claim is about them. Without slugs every method that makes a claim is verified.
    """
    slugs = slugs or [slug for slug in all_slugs() if card(slug).claims]
    claims = {slug: card(slug).claims for slug in slugs}
    for slug, some in claims.items():
        if not some:
            raise OperantError(f"{slug} makes no claims, so there is nothing to verify")
    about = {"date": datetime.now(UTC).date().isoformat(), "seeds": seeds, "trials": trials}
    attempts: dict[str, dict[str, Any]] = {
        slug: {**about, "environment": environment(), "source": source_hash(slug), "claims": [], "rows": [],
               "curves": [], "settings": []}
        for slug in slugs
    }  # fmt: skip
    for task in sorted({claim.task for some in claims.values() for claim in some}):
        wanted = {slug: rows_of(slug, task) for slug in slugs}
        names = tuple(dict.fromkeys(("base", *chain(*wanted.values()), *extra)))
        options = Options(methods=names, task=task, seeds=seeds, trials=trials)
        report = read_json(compare(options, keep="none", workers=workers, told=told) / "report.json")
        for slug, attempt in attempts.items():
            shown = {"base", *wanted[slug], *extra}
            attempt["claims"] += [judge(claim, slug, report) for claim in claims[slug] if claim.task == task]
            attempt["rows"] += [row for row in report["rows"] if row["seed"] is None and row["method"] in shown]
            attempt["curves"] += [curve for curve in report["curves"] if curve["method"] in shown]
            attempt["settings"] += [one for one in report["settings"] if one["method"] in shown]
    for slug, attempt in attempts.items():
        path = evidence / f"{slug}.json"
        kept = (read_json(path)["attempts"] if path.is_file() else []) + [attempt]
        worst = min((claim["verdict"] for claim in attempt["claims"]), key=ORDER.index)
        write_json(path, {"slug": slug, "verdict": worst, "attempts": kept})
    return attempts


def rows_of(slug: str, task: str) -> list[str]:
    """The rows that a method's claims on a task are about, and against."""
    claims = [claim for claim in card(slug).claims if claim.task == task]
    return [slug, *(claim.row or slug for claim in claims), *(claim.against for claim in claims)]


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
    for slug in all_slugs():
        evidence = read_evidence(slug)
        if evidence and evidence["attempts"][-1]["source"] != source_hash(slug):
            found.append(slug)
    return found


if __name__ == "__main__":
    names = stale()
    sys.stdout.write(f"stale evidence: {', '.join(names)}\n" if names else "no stale evidence\n")
