"""The main job as a whole: what a run leaves, going on after a kill, and what it must never do."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compare.conftest import DRIVER, SECRET, drive
from compare.driver import OPTIONS
from operant.compare.main import compare
from operant.disk import read_json, write_json
from operant.errors import OperantError


def repeatable(run: Path) -> dict:
    report = read_json(run / "report.json")
    report.pop("measured")
    report.pop("use")  # names the directory
    return report


def test_report_has_a_row_for_every_method_and_seed(finished):
    report = read_json(finished / "report.json")
    assert report["format"] == 1
    rows = {(row["method"], row["seed"]): row for row in report["rows"]}
    assert set(rows) == {(name, seed) for name in OPTIONS.methods for seed in (0, None)}
    for row in rows.values():
        assert row["status"] == "done", row["why"]
        assert row["gold"].keys() == {"mean", "low", "high", "n", "unknown"}
        assert row["gold"]["n"] == 4  # test prompts
        assert row["kl"]["kind"] in ("estimate", "exact", "bound")
    assert rows["base", None]["kl"]["mean"] == 0 and rows["base", None]["kl"]["kind"] == "exact"
    # best of 2: ln 2 - 1/2
    assert rows["best-of-n", None]["kl"]["mean"] == pytest.approx(0.693147 - 0.5, abs=1e-6)


def test_costs_are_charged_to_who_caused_them(finished):
    rows = {row["method"]: row for row in read_json(finished / "report.json")["rows"] if row["seed"] is None}
    assert "training/backward_flops" not in rows["base"]["cost"]
    assert rows["dpo"]["cost"]["training/labels"]["mean"] == 20  # each pair is one label, read once
    assert 0.85 < rows["dpo"]["budget_share"] <= 1  # steps are whole, and three epochs of 20 pairs are but seven
    # best-of-n trains nothing itself, but is charged the proxy's fit in full, and its samples when it serves
    assert rows["best-of-n"]["cost"]["training/backward_flops"]["mean"] > 0
    assert rows["best-of-n"]["cost"]["serving/reward_calls"]["mean"] == 4 * 2
    base, best = (rows[name]["cost"]["serving/sampled_tokens"]["mean"] for name in ("base", "best-of-n"))
    assert best > 1.3 * base  # two candidates for every answer


def test_tuning_is_shown_and_is_outside_the_ceiling(finished):
    report = read_json(finished / "report.json")
    (dpo,) = [one for one in report["settings"] if one["method"] == "dpo"]
    assert dpo["trials"] == OPTIONS.trials == len(dpo["candidates"])
    best = max(dpo["candidates"], key=lambda one: one["score"])
    assert dpo["chosen"] == best["settings"]
    row = next(row for row in report["rows"] if row["method"] == "dpo" and row["seed"] is None)
    # two trials of a quarter of the steps each, less what rounds down to whole ones
    share = row["cost"]["tuning/backward_flops"]["mean"] / row["cost"]["training/backward_flops"]["mean"]
    assert 0.2 < share < 0.6


def test_comparisons_stand_on_pairs_of_the_same_prompts(finished):
    report = read_json(finished / "report.json")
    one = next(c for c in report["comparisons"] if (c["method"], c["metric"]) == ("dpo", "quality"))
    cells = {name: read_json(finished / "cells" / f"{name}-0.json")["metrics"]["quality"] for name in ("dpo", "base")}
    by_hand = sum(a - b for a, b in zip(cells["dpo"], cells["base"], strict=True)) / 4
    assert one["difference"] == pytest.approx(by_hand)
    assert one["for_these_seeds_only"]  # one seed


def test_a_second_call_repeats_nothing(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file() and path.name != ".lock"}
    started = time.monotonic()
    assert compare(OPTIONS, out=finished, keep="all", workers=1) == finished
    assert time.monotonic() - started < 5
    after = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file() and path.name != ".lock"}
    assert before == after


def test_another_comparison_is_refused_the_directory(tmp_path):
    write_json(tmp_path / "run.json", {"key": "another", "options": {}})
    with pytest.raises(OperantError, match="another --out"):
        compare(OPTIONS, out=tmp_path, workers=1)


def test_no_key_from_the_environment_is_written(finished):
    assert all(SECRET.encode() not in path.read_bytes() for path in finished.rglob("*") if path.is_file())


def test_killed_at_six_points_it_ends_as_an_unbroken_run(finished, tmp_path):
    """Three kills of the parent at random moments, three inside a write of whichever process makes it."""
    rng, out = random.Random(7), tmp_path / "run"
    broken = 0
    for kill in range(6):
        if kill % 2:
            broken += drive(out, BREAK_AT_WRITE=str(rng.randint(1, 4))).returncode != 0
        else:
            broken += killed_after(out, rng.uniform(3.0, 9.0))
    assert broken >= 3  # a run that had already ended cannot be broken again
    ended = drive(out)
    assert ended.returncode == 0, ended.stderr
    assert repeatable(out) == repeatable(finished)


def killed_after(out: Path, seconds: float) -> bool:
    """True if the process was still at work."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, str(DRIVER), str(out)], env=environment, stderr=subprocess.DEVNULL)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(0.5)  # workers notice that they are alone
    return child.returncode != 0
