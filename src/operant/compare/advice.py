"""Three lines for someone in a hurry, each with the figure behind it; and where decoding costs more than training."""

from __future__ import annotations

from typing import Any

Report = dict[str, Any]
BASE = "base"


def advice(report: Report) -> list[str]:
    """Best at equal cost; best at a served volume; what not to trust."""
    return [_best(report), _volume(report), _distrust(report)]


def winner(report: Report) -> str | None:
    """The row with the highest gold among those that are better than base by the adjusted test."""
    rows = [row for row in whole_rows(report) if row["method"] in better(report) and row["gold"]]
    return max(rows, key=lambda row: row["gold"]["mean"])["method"] if rows else None


def better(report: Report) -> set[str]:
    """Rows that are better than base on the primary metric by the adjusted test."""
    key = (BASE, report["task"]["primary"], "better")
    return {one["method"] for one in report["comparisons"] if (one["baseline"], one["metric"], one["verdict"]) == key}


def whole_rows(report: Report) -> list[dict[str, Any]]:
    """The rows over all seeds that are done."""
    return [row for row in report["rows"] if row["seed"] is None and row["status"] == "done"]


def _best(report: Report) -> str:
    best, metric = winner(report), report["task"]["primary"]
    compared = [one for one in report["comparisons"] if one["baseline"] == BASE and one["metric"] == metric]
    if best is None:
        if not compared:
            return f"Nothing to recommend: no row could be compared with base on {metric}."
        seen = [one["smallest_visible"] for one in compared if one["smallest_visible"] is not None]
        limit = f"; a difference of {max(seen):.2g} would have been seen" if seen else ""
        return f"Keep the base model: no method is detectably better on {metric}{limit}."
    one = next(one for one in compared if one["method"] == best)
    rivals = [
        other["method"] for other in compared
        if other["method"] != best and other["verdict"] == "better" and other["high"] >= one["low"]
    ]  # fmt: skip
    close = f" Its interval against base overlaps that of {', '.join(rivals)}." if rivals else ""
    return f"{best}: {metric} {one['difference']:+.2f} over base [{one['low']:+.2f}, {one['high']:+.2f}].{close}"


def _volume(report: Report) -> str:
    best = winner(report)
    if best is None:
        return "The base model: nothing beats it yet."
    rivals = better(report)
    even = [one for one in report["break_even"] if best in (one["decode_time"], one["trained"])]
    even = [one for one in even if {one["decode_time"], one["trained"]} <= rivals]
    known = [one for one in even if one["answers"] is not None]
    if not known:
        return f"{best} at any volume: no other row that beats base trades training for decoding."
    one = min(known, key=lambda one: one["answers"])
    return (
        f"{one['decode_time']} is cheaper up to about {one['answers']:,.0f} answers served, "
        f"{one['trained']} beyond (training and serving FLOPs together)."
    )


def _distrust(report: Report) -> str:
    warnings = overoptimised(report) + _odd_lengths(report) + _weak_scorers(report)
    few = report["seeds"] < 3
    if few:
        warnings.append(f"{report['seeds']} seed(s): intervals hold for these seeds only")
    if "not truth" in report["task"]["gold_kind"]:
        warnings.append(f"gold: {report['task']['gold_kind']}")
    return "; ".join(warnings) + "." if warnings else "Nothing stood out; still read the answers that got worse."


def overoptimised(report: Report) -> list[str]:
    """Rows whose proxy rose while gold fell: between two points of the knob, or against base."""
    found = []
    for curve in report["curves"]:
        points = [p for p in curve["points"] if p["gold"] and p["proxy"] and p["gold"]["mean"] is not None]
        if len(points) < 2:
            continue
        last, peak = points[-1], max(points, key=lambda p: p["gold"]["mean"])
        fell, rose = peak["gold"]["mean"] - last["gold"]["mean"], last["proxy"]["mean"] - peak["proxy"]["mean"]
        half = ((last["gold"]["high"] or 0) - (last["gold"]["low"] or 0)) / 2
        if rose > 0 and fell > 0:
            sure = "" if fell > half else ", within noise"
            found.append(
                f"{curve['method']} past {curve['knob']} {peak['value']:g} (proxy {rose:+.2f}, gold {-fell:+.2f}{sure})"
            )
    return found


def _odd_lengths(report: Report) -> list[str]:
    """Where gold is a judge: rows it likes whose answers are less than half, or more than twice, as long as base's."""
    lengths = {row["method"]: row["length"]["mean"] for row in whole_rows(report) if row.get("length")}
    usual = lengths.get(BASE)
    if not usual or "not truth" not in report["task"]["gold_kind"]:
        return []
    return [
        f"{name} (answers of {lengths[name]:.0f} words, base's {usual:.0f}; the judge may be gamed)"
        for name in sorted(better(report)) if name in lengths and not usual / 2 <= lengths[name] <= usual * 2
    ]  # fmt: skip


def _weak_scorers(report: Report) -> list[str]:
    weak = []
    for row in whole_rows(report):
        accuracy = (row["scorer"] or {}).get("accuracy", {})
        ours, longer = accuracy.get("all"), accuracy.get("longer wins")
        if row["slug"] != "longer-wins" and ours and longer and ours["low"] is not None:
            if ours["low"] <= longer["mean"]:
                weak.append(
                    f"{row['method']} as a judge (accuracy {ours['mean']:.2f}, longer wins {longer['mean']:.2f})"
                )
    return weak


def break_even(rows: list[dict[str, Any]], answers: int) -> list[dict[str, Any]]:
    """Served answers beyond which a row that decodes dearly costs more FLOPs than one that was trained."""
    priced = [(row["method"], *_price(row, answers)) for row in rows if row["gold"] and row["method"] != BASE]
    found = []
    for slow, slow_train, slow_serve in priced:
        for fast, fast_train, fast_serve in priced:
            if slow_serve > 1.5 * fast_serve:
                extra = (fast_train - slow_train) / (slow_serve - fast_serve)
                found.append({"decode_time": slow, "trained": fast, "answers": extra if extra > 0 else None})
    return found


def _price(row: dict[str, Any], answers: int) -> tuple[float, float]:
    """FLOPs to make it, and FLOPs per served answer."""
    parts = {phase: sum((row["cost"].get(f"{phase}/{name}") or {}).get("mean") or 0.0
                        for name in ("forward_flops", "backward_flops"))
             for phase in ("training", "serving")}  # fmt: skip
    return parts["training"], parts["serving"] / answers
