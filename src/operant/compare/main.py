"""The main job: a comparison from options to a report on disk; the same call again finishes what is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.compare.advice import winner
from operant.compare.assemble import assemble
from operant.compare.options import Options, run_key
from operant.compare.report import render
from operant.compare.rows import Row, check_rows, parse_rows
from operant.compare.runner import Event, run_cells
from operant.compare.setup import make_task
from operant.compare.tracking import check_trackers, log_report
from operant.disk import only_process, read_json, write_json
from operant.errors import OperantError


def silent(row: str, seed: int, stage: str) -> None:
    """Progress that nobody watches."""
    assert row and seed >= 0 and stage


def compare(
    options: Options, *, out: Path | None = None, keep: str = "best", workers: int | None = None,
    report_to: Sequence[str] = (), told: Event = silent,
) -> Path:  # fmt: skip
    """Run what is missing and write report.json, report.html and report.md; returns the run's directory."""
    check_trackers(report_to)
    rows = parse_rows(options)
    check_rows(rows, options)
    task = make_task(options, seed=0)
    key = run_key(options, task.identity())
    run = out or Path("runs") / f"{options.name}-{key}"
    with only_process(run / ".lock", what=str(run)):
        _claim(run, key, options)
        if (run / "report.json").is_file() and (run / "report.html").is_file():
            return run
        run_cells(run, rows, options.seeds, workers=workers or os.cpu_count() or 1, told=told)
        told("report", 0, "writing")
        report = assemble(run, options, rows, task)
        _tidy(run, rows, report, keep)
        render(report, run)
        write_json(run / "report.json", report)
        log_report(report, report_to, run)
    return run


def _claim(run: Path, key: str, options: Options) -> None:
    """The directory belongs to one run: its options, data and code."""
    path = run / "run.json"
    if path.is_file() and read_json(path)["key"] != key:
        raise OperantError(
            f"{run} holds another comparison (other options, data or code); choose another --out, or remove it"
        )
    if not path.is_file():
        write_json(path, {"key": key, "options": options.to_json()})


def _tidy(run: Path, rows: list[Row], report: dict[str, Any], keep: str) -> None:
    """Drop what only the run needed; of the models keep all, none, or the winner's and base's."""
    best = {winner(report), "base"}
    for row in rows:
        if keep == "none" or (keep == "best" and row.name not in best):
            for path in (run / "models").glob(f"{row.key}-*"):
                if path.name.removeprefix(f"{row.key}-").isdigit():
                    shutil.rmtree(path, ignore_errors=True)
    for name in ("work", "products"):
        shutil.rmtree(run / name, ignore_errors=True)
