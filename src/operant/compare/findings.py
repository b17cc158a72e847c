"""Findings over seeds: what a report shows of them, and the differences between rows that a card's claims are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from operant.compare.aggregate import Cells, Found
from operant.methods import card
from operant.stats.differences import LEVEL, two_way

NOTHING = ("base",)  # rows without findings
FEW = 3  # seeds, below which an interval over them says nothing
TRUST = ("planted", "power", "false_alarms", "runs")


def named(found: Found) -> dict[str, dict[str, Any]]:
    """A cell's findings by key; those without one by name, which may differ from seed to seed."""
    return {one.get("key") or one["name"]: one for one in found.get("findings") or []}


def shown(cells: Cells) -> list[dict[str, Any]]:
    """A line for every finding of every row: its mean over the seeds that have it, and what its test can see.

    The interval is over seeds from three on; below, the mean of the findings' own.
    """
    lines = []
    for name, many in cells.items():
        held = [named(one) for one in many.values()]
        for key in dict.fromkeys(key for one in held for key in one):
            lines.append({"method": name, "key": key, **_line([one[key] for one in held if key in one])})
    return lines


def _line(some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = some[0]
    effects = [one["effect"] for one in some]
    if len(some) >= FEW:
        over = two_way(np.array([effects]))
        low, high = over.low, over.high
    else:
        low, high = (float(np.mean([one[end] for one in some])) for end in ("low", "high"))
    told = {name: _mean([one.get(name) for one in some]) for name in TRUST}
    effect = {"mean": float(np.mean(effects)), "low": low, "high": high, "n": len(some), "unknown": 0}
    return {"name": first["name"], "unit": first["unit"], "effect": effect, **told}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def compare_findings(pairs: Sequence[tuple[str, str]], cells: Cells, *, seeds: int) -> list[dict[str, Any]]:
    """Differences of the findings that a row's card makes claims about, paired by seed: method - baseline.

    A finding is itself a difference from the model as it is, so against `base`, which has none, it stands alone.
    Two-sided t over seeds, unadjusted. With one seed interval and p are the finding's own where nothing is taken off.
    """
    made = []
    for method, baseline in pairs:
        ours, theirs = ([named(cells[name][seed]) for seed in sorted(cells[name])] for name in (method, baseline))
        if len(ours) != seeds or len(theirs) != seeds:
            continue
        for key in dict.fromkeys(claim.metric for claim in card(method.partition(":")[0]).claims):
            if all(key in one for one in ours) and (baseline in NOTHING or all(key in one for one in theirs)):
                made.append(_difference(method, baseline, key, ours, theirs))
    return made


def _difference(
    method: str, baseline: str, key: str, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    alone = baseline in NOTHING
    gaps = [
        one[key]["effect"] - (0.0 if alone else other[key]["effect"]) for one, other in zip(ours, theirs, strict=True)
    ]
    found = two_way(np.array([gaps]))
    low, high, p = found.low, found.high, found.p
    if len(gaps) == 1 and alone:
        low, high, p = (ours[0][key].get(name) for name in ("low", "high", "p"))
    told = p is not None and found.mean is not None and p <= 1 - LEVEL
    seen = ("more" if found.mean > 0 else "less") if told and found.mean is not None else "no detectable difference"
    return {
        "method": method, "baseline": baseline, "metric": key, "difference": found.mean, "low": low, "high": high,
        "p": p, "p_holm": None, "smallest_visible": found.smallest_visible, "for_these_seeds_only": len(gaps) < FEW,
        "unknown": 0, "n_prompts": None, "n_seeds": len(gaps), "verdict": seen,
    }  # fmt: skip
