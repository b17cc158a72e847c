"""report.json: rows, comparisons, curves, examples, all from the cells on disk."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from operant.compare import advice, examples
from operant.compare.aggregate import Cells, best_of, compare_rows, curve, make_row, number
from operant.compare.cell import cell_path
from operant.compare.findings import compare_findings, shown
from operant.compare.options import Options, code_hash
from operant.compare.rows import Row
from operant.disk import read_json
from operant.methods import card
from operant.schema import Task
from operant.stats import aa_false_alarms

FORMAT = 1


def assemble(run: Path, options: Options, rows: Sequence[Row], task: Task) -> dict[str, Any]:
    """Everything the report says. What this machine took stands under `measured`, all else is repeatable."""
    seeds = range(options.seeds)
    cells: Cells = {row.name: {seed: read_json(cell_path(run, row, seed)) for seed in seeds} for row in rows}
    done: Cells = {name: {s: one for s, one in many.items() if one["status"] == "done"} for name, many in cells.items()}
    whole = {name: list(many.values()) for name, many in done.items() if len(many) == options.seeds}
    primary, prompts = task.metrics[0].name, task.prompts("test")
    lines = [
        make_row(row, [cells[row.name][s] for s in chosen], task=task.name, seed=label, primary=primary)
        for row in rows
        for label, chosen in [(None, list(seeds)), *((seed, [seed]) for seed in seeds)]
    ]
    report: dict[str, Any] = {
        "format": FORMAT, "title": f"operant compare: {task.name}", "command": command(options),
        "seeds": options.seeds, "rows": lines,
        "task": {
            "name": task.name, "subject": task.subject, "gold_kind": task.gold_kind, "primary": primary,
            "metrics": [{"name": m.name, "direction": m.direction, "what": m.what} for m in task.metrics],
        },
        "comparisons": [
            *compare_rows(_pairs(rows), done, task.metrics, seeds=options.seeds),
            *compare_findings(_pairs(rows), done, seeds=options.seeds),
        ],
        "findings": shown(done),
        "curves": [made for name, found in whole.items() if (made := curve(name, found))],
        "best_of_n": _best_of(run, whole, options), "aa": _controls(whole),
        "examples": examples.examples(prompts, whole, primary), "worse": examples.worse(prompts, whole, primary),
        "slices": examples.slices(prompts, whole, primary), "settings": _settings(cells), "data": task.summary(),
        "environment": environment(), "measured": _measured(run, rows, seeds),
    }  # fmt: skip
    report["break_even"] = advice.break_even(advice.whole_rows(report), len(prompts))
    report["advice"] = advice.advice(report)
    best = advice.winner(report) or "base"
    report["use"] = use_of(run, rows, best, task)
    return report


def use_of(run: Path, rows: Sequence[Row], best: str, task: Task) -> str:
    """The command that answers with the winner; where no language model answers, the call."""
    if not task.allowance:
        return f'operant answer --run {run} --row "{best}" "your prompt"'
    key = next((row.key for row in rows if row.name == best), best)
    return f'operant.compare.products.load_generator(Path("{run}/models/{key}-0")).answer(prompts, ...)'


def command(options: Options) -> str:
    """The command that repeats this comparison."""
    words = ["operant compare"]
    words += [f"--task {options.task}"] if options.task else [f"--model {options.model} --data {options.data}"]
    words += [f"--method '{name}'" if ":" in name else f"--method {name}" for name in options.methods]
    if options.columns:
        words.append("--columns " + ",".join(f"{ours}={theirs}" for ours, theirs in options.columns.items()))
    words += ["--four-bit"] if options.four_bit else []
    named = ("seeds", "limit", "prompts", "max_tokens", "max_length", "best_of", "points", "trials", "budget",
             "scorer", "lora", "dtype")  # fmt: skip
    for name in named:
        value = getattr(options, name)
        if value is not None and (name, value) != ("dtype", "float32"):
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join([*words, f"--on-bad-row {options.on_bad_row}"] if options.data else words)


def _pairs(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Every row against base, and against those of its card's baselines and needs that stand in the table."""
    names = {row.name for row in rows}
    found = []
    for row in rows:
        about = card(row.slug)
        against = ["base", *about.baselines, *(claim.against for claim in about.claims)]
        found += [(row.name, other) for other in dict.fromkeys(against) if other in names and other != row.name]
    return found


def _best_of(run: Path, whole: dict[str, list[Any]], options: Options) -> list[dict[str, Any]]:
    sizes = sorted({2**k for k in range(options.pool.bit_length()) if 2**k <= options.pool} | {options.pool})
    found = []
    for name, many in whole.items():
        if all("scorer" in one for one in many):
            pools = [read_json(run / "pools" / f"test-{one['seed']}.json")["gold"] for one in many]
            found.append(best_of(name, many, pools, sizes))
    return found


def _controls(whole: dict[str, list[Any]]) -> dict[str, Any] | None:
    """Two answer sets of the base itself: how often the tests would call them different."""
    drawn = whole["base"][0].get("pool_gold") if "base" in whole else None
    if not drawn or len(drawn[0]) < 2:
        return None
    pool = np.array([[number(value) for value in many] for many in drawn])
    pool = pool[~np.isnan(pool).any(1)]
    if len(pool) < 2:
        return None
    per_side = min(3, pool.shape[1] // 2)
    found = aa_false_alarms(pool, draws=2000, per_side=per_side, rng=np.random.default_rng(0))
    return {
        name: {"false_alarms": rate.rate, "low": rate.low, "high": rate.high, "draws": rate.n}
        for name, rate in (("bca", found.bca), ("two_way", found.two_way))
    }


def _settings(cells: Cells) -> list[dict[str, Any]]:
    """What tuning tried and chose, seed by seed."""
    return [
        {"method": name, "seed": seed, "trials": len(one["candidates"]), "chosen": one["chosen"],
         "candidates": one["candidates"]}
        for name, many in cells.items() for seed, one in many.items() if one.get("candidates")
    ]  # fmt: skip


def environment() -> dict[str, Any]:
    """What decides the numbers beside config, data and seed."""
    packages = ("operant", "torch", "transformers", "tokenizers", "numpy", "scipy")
    return {**{name: version(name) for name in packages}, "python": platform.python_version(),
            "machine": platform.machine(), "code": code_hash(), "device": "cpu, one thread a process"}  # fmt: skip


def _measured(run: Path, rows: Sequence[Row], seeds: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        paths = {seed: cell_path(run, row, seed).with_suffix(".measured.json") for seed in seeds}
        found[row.name] = {str(seed): read_json(path) for seed, path in paths.items() if path.is_file()}
    return found
