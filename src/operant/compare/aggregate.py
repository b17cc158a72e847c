"""Cells to the rows, comparisons and curves of report.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from operant.compare.rows import Row
from operant.schema import Metric
from operant.stats import Cell, Difference, best_of_n_curve, cell, clopper_pearson, holm, two_way, verdict
from operant.stats.reliability import calibration

Found = dict[str, Any]  # what one cell's file holds
Cells = dict[str, dict[int, Found]]  # row name -> seed -> found
NO_CELL: dict[str, Any] = {"mean": None, "low": None, "high": None, "n": 0, "unknown": 0}


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def matrix(found: Sequence[Found], read: Callable[[Found], Any]) -> np.ndarray | None:
    """[seeds, items], NaN where unknown; None where some seed has no such values."""
    rows = [read(one) for one in found]
    if not rows or any(row is None for row in rows) or len({len(row) for row in rows}) != 1:
        return None
    return np.array([[number(value) for value in row] for row in rows])


def cell_of(found: Sequence[Found], read: Callable[[Found], Any]) -> dict[str, Any] | None:
    values = matrix(found, read)
    return None if values is None else {**clean(cell(values)), **_exact(values)}


def _exact(values: np.ndarray) -> dict[str, float]:
    """The Clopper-Pearson interval of right-or-wrong values of one seed; the usual one leaves 0..1, or has no width."""
    known = values[~np.isnan(values)]
    if len(values) > 1 or not len(known) or not np.isin(known, (0.0, 1.0)).all():
        return {}
    low, high = clopper_pearson(int(known.sum()), len(known))
    return {"low": float(low), "high": float(high)}


def over_seeds(values: Sequence[float | None]) -> dict[str, Any]:
    """One number a seed; the interval is over seeds, and absent below two."""
    known = [value for value in values if value is not None]
    if not known:
        return {**NO_CELL, "unknown": len(values)}
    if len(known) < 2:
        return {"mean": known[0], "low": None, "high": None, "n": 1, "unknown": len(values) - 1}
    return clean(cell(np.array([number(value) for value in values])))


def clean(made: Cell) -> dict[str, Any]:
    """As JSON; what is not finite is null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in made.to_json().items()}


def make_row(row: Row, found: Sequence[Found], *, task: str, seed: int | None, primary: str) -> dict[str, Any]:
    """One line of the table: over the seeds given, all of which must be done, else the first reason why not."""
    bad = [one for one in found if one["status"] != "done"]
    head = {"method": row.name, "slug": row.slug, "task": task, "seed": seed, "settings": row.settings}
    empty = dict.fromkeys(("gold", "own_reward", "proxy", "kl", "length", "scorer", "budget_share"))
    if bad or not found:
        status, why = (bad[0]["status"], bad[0]["why"]) if bad else ("failed", "no cell")
        return {**head, **empty, "status": status, "why": why, "config": None, "config_hash": None,
                "diversity": {}, "metrics": {}, "cost": {}}  # fmt: skip
    generator = "metrics" in found[0]
    made = {
        **head, **empty, "status": "done", "why": "", "config": found[0]["config"],
        "config_hash": found[0]["config_hash"],
        "budget_share": over_seeds([one["budget_share"] for one in found])["mean"],
        "cost": _cost(found), "diversity": {}, "metrics": {},
        "scorer": _scorer(found) if "scorer" in found[0] else None,
    }  # fmt: skip
    return {**made, **_generator(found, primary)} if generator else made


def _generator(found: Sequence[Found], primary: str) -> dict[str, Any]:
    metrics = {name: cell_of(found, lambda one, name=name: one["metrics"].get(name)) for name in found[0]["metrics"]}
    nll = cell_of(found, lambda one: one["chosen_nll"])
    kl = found[0]["kl"]
    values = cell_of(found, lambda one: one["kl"]["values"]) or NO_CELL
    return {
        "gold": metrics[primary],
        "own_reward": cell_of(found, lambda one: one["own_reward"]),
        "proxy": cell_of(found, lambda one: one["proxy"]),
        "kl": {**values, "kind": kl["kind"], "why": kl["why"]},
        "length": cell_of(found, lambda one: one["length"]),
        "diversity": {name: over_seeds([one["diversity"][name] for one in found]) for name in found[0]["diversity"]},
        "metrics": metrics | ({"chosen_nll": nll} if nll else {}),
    }


def _cost(found: Sequence[Found]) -> dict[str, Any]:
    """training/, serving/ (of the test answers) and tuning/ amounts that are not zero everywhere."""
    cells = {}
    for phase in ("training", "serving", "tuning"):
        for name in found[0].get(phase) or {}:
            values = [one[phase][name] for one in found]
            if any(values):
                cells[f"{phase}/{name}"] = over_seeds(values)
    serving = [one["scorer"]["serving"] for one in found if "scorer" in one and "serving" not in one]
    for name in serving[0] if serving else ():
        if any(one[name] for one in serving):
            cells[f"serving/{name}"] = over_seeds([one[name] for one in serving])
    return cells


def _scorer(found: Sequence[Found]) -> dict[str, Any]:
    """Accuracy over test pairs, by subset, beside the trivial judges; calibration over all seeds' pairs."""
    marks = [one["scorer"] for one in found]
    subsets = {"all": cell_of(marks, lambda one: one["correct"])}
    for name, wanted in (("longer answer is better", True), ("shorter or equal answer is better", False)):
        picked = [_where(one["correct"], one["longer"], wanted) for one in marks]
        if all(picked):
            subsets[name] = over_seeds([_mean(many) for many in picked])
    subsets |= {name: cell_of(marks, lambda one, name=name: one[name]) for name in ("longer wins", "always second")}
    return {"accuracy": subsets, "calibration": _calibration(marks), "agreement": _agreement(marks)}


def _agreement(marks: Sequence[Found]) -> float | None:
    """Share of test pairs that two seeds judge alike, over all pairs of seeds; None for one seed."""
    judged = [one["correct"] for one in marks]
    alike = [
        _mean([float(a == b) for a, b in zip(one, two, strict=True) if a is not None and b is not None])
        for one, two in combinations(judged, 2)
    ]
    return _mean(alike)


def _where(values: Sequence[float | None], marks: Sequence[bool], wanted: object) -> list[float | None]:
    return [value for value, mark in zip(values, marks, strict=True) if mark == wanted]


def _mean(many: Sequence[float | None]) -> float | None:
    known = [value for value in many if value is not None]
    return sum(known) / len(known) if known else None


def _calibration(marks: Sequence[Found]) -> dict[str, Any] | None:
    """Predicted confidence against how often it was right; None for scores that are no probabilities."""
    if any(one["probability"] is None for one in marks):
        return None
    found = calibration([number(value) for one in marks for value in one["probability"]])
    return {"ece": found.error, "bins": [one._asdict() for one in found.bins]}


def compare_rows(
    pairs: Sequence[tuple[str, str]], cells: Cells, metrics: Sequence[Metric], *, seeds: int
) -> list[dict[str, Any]]:
    """Differences method - baseline: on the primary metric adjusted by Holm over all methods with that baseline.

    Other metrics are as they are. A pair of rows that have no such metric (a scorer and a generator) is left out; one
    with a failed side is kept.
    """
    primary, *others = metrics
    whole = [pair for pair in pairs if all(len(cells[name]) == seeds for name in pair)]
    made = []
    for baseline in dict.fromkeys(other for _, other in whole):
        made += _differences([pair for pair in whole if pair[1] == baseline], cells, primary, holm_over=True)
    named = {metric.name for metric in metrics}
    extra = (Metric(name="accuracy"), Metric(name="surprise", direction="down"))
    for metric in (*others, *(one for one in extra if one.name not in named)):
        made += _differences(whole, cells, metric, holm_over=False)
    nothing = ("difference", "low", "high", "p", "p_holm", "smallest_visible", "n_prompts", "n_seeds", "unknown")
    for method, baseline in pairs:
        if (method, baseline) not in whole:
            head = {"method": method, "baseline": baseline, "metric": primary.name, "verdict": "failed"}
            made.append({**head, **dict.fromkeys(nothing), "for_these_seeds_only": False})
    return made


def _differences(
    pairs: Sequence[tuple[str, str]], cells: Cells, metric: Metric, *, holm_over: bool
) -> list[dict[str, Any]]:
    """Every pair that has this metric; the verdict is by the adjusted p where there is one."""
    found = [(pair, made) for pair in pairs if (made := _difference(*pair, cells, metric)) is not None]
    adjusted = holm([made.p for _, made in found]) if holm_over else [None] * len(found)
    return [
        {
            "method": method, "baseline": baseline, "metric": metric.name, "difference": made.mean, "low": made.low,
            "high": made.high, "p": made.p, "p_holm": p, "smallest_visible": made.smallest_visible,
            "for_these_seeds_only": made.for_these_seeds_only, "unknown": made.unknown, "n_prompts": made.n_prompts,
            "n_seeds": made.n_seeds, "verdict": verdict(made, p if holm_over else made.p, metric.direction),
        }
        for ((method, baseline), made), p in zip(found, adjusted, strict=True)
    ]  # fmt: skip


def _difference(method: str, baseline: str, cells: Cells, metric: Metric) -> Difference | None:
    """Paired by seed and prompt; None where a side does not have the metric, or has it of something else."""
    seeds = sorted(cells[method])
    if len({metric.name in cells[name][seed].get("metrics", {}) for name in (method, baseline) for seed in seeds}) > 1:
        return None
    left, right = (
        matrix([cells[name][seed] for seed in seeds], lambda one: read_metric(one, metric.name))
        for name in (method, baseline)
    )
    return None if left is None or right is None or left.shape != right.shape else two_way(left - right)


def read_metric(found: Found, name: str) -> Any:
    """Values of one cell: one per test prompt, test document (surprise) or test pair (accuracy of a scorer), or None.

    On a task that measures accuracy of answers, a row that answers has that one.
    """
    if name == "surprise":
        return found.get("surprise")
    metrics = found.get("metrics", {})
    if name == "accuracy" and name not in metrics:
        return found.get("scorer", {}).get("correct")
    return metrics.get(name)


def curve(name: str, found: Sequence[Found]) -> dict[str, Any] | None:
    """Gold and proxy along the knob; None for a generator without one."""
    points = [one.get("points") or [] for one in found]
    if not points or not points[0] or len({len(many) for many in points}) != 1:
        return None
    made = []
    for place, first in enumerate(points[0]):
        same = [many[place] for many in points]
        made.append(
            {
                "value": first["value"],
                "kl": {**(cell_of(same, lambda one: one["kl"]["values"]) or NO_CELL), "kind": first["kl"]["kind"]},
                "gold": cell_of(same, lambda one: one["gold"]),
                "proxy": cell_of(same, lambda one: one["proxy"]),
            }
        )
    return {"method": name, "knob": points[0][0]["knob"], "points": made}


def best_of(name: str, found: Sequence[Found], pools: Sequence[Any], sizes: Sequence[int]) -> dict[str, Any]:
    """Gold of best-of-n by this scorer: unbiased, from one shared sample set per seed."""
    curves = []
    for one, gold in zip(found, pools, strict=True):
        proxy = np.array([[number(value) for value in many] for many in one["scorer"]["pool"]])
        curves.append(best_of_n_curve(proxy, np.array([[number(v) for v in many] for many in gold]), sizes))
    stacked = np.stack(curves)
    points = [{"n": size, "gold": clean(cell(stacked[:, :, place]))} for place, size in enumerate(sizes)]
    return {"method": name, "points": points}
