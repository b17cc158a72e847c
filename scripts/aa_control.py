"""The A/A control on trained models: 40 dpo runs are 4 comparisons of 5 seeds against 5, kept in evidence/aa.json."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from operant.compare.assemble import environment
from operant.compare.main import compare
from operant.compare.options import Options
from operant.disk import read_json, write_json
from operant.stats import clopper_pearson, two_way

OPTIONS = Options(methods=("dpo",), task="reviews", seeds=40, limit=100, trials=1, points=1)
OUT = Path(__file__).parents[1] / "evidence" / "aa.json"
EACH = 5


def main() -> None:
    def told(row: str, seed: int, stage: str) -> None:
        if stage == "done":
            print(f"{row}, seed {seed}: done", flush=True)

    run = compare(OPTIONS, keep="none", workers=os.cpu_count(), told=told)
    gold = np.array([read_json(run / "cells" / f"dpo-{s}.json")["metrics"]["quality"] for s in range(OPTIONS.seeds)])
    found = []
    for start in range(0, OPTIONS.seeds, 2 * EACH):
        left, right = gold[start : start + EACH], gold[start + EACH : start + 2 * EACH]
        found.append(two_way(left - right).to_json())
    alarms = sum(one["p"] < 0.05 for one in found)
    low, high = clopper_pearson(alarms, len(found))
    attempt = {
        "date": datetime.now(UTC).date().isoformat(), "what": "dpo against dpo, 5 seeds against 5, two-way test",
        "limit": OPTIONS.limit, "alarms": alarms, "comparisons": len(found), "low": low, "high": high,
        "differences": found, "environment": environment(),
    }  # fmt: skip
    attempts = read_json(OUT)["attempts"] if OUT.is_file() else []
    write_json(OUT, {"attempts": [*attempts, attempt]})
    print(f"{alarms} false alarms in {len(found)} comparisons [{low:.2f}, {high:.2f}]")


if __name__ == "__main__":
    main()
