"""Writes sample.json, an invented report with the shape of a real one: `python make_sample.py`."""

import json
import re
from math import log, sqrt
from pathlib import Path
from random import Random
from typing import Any

SEEDS = range(5)
PROMPTS = 200
# name: gold, proxy, KL (kind), length, distinct-2, training FLOPs, serving FLOPs against base, labels
MEASURED: dict[str, tuple[Any, ...]] = {
    "base": (0.482, -0.02, 0.0, "exact", 14.1, 0.71, 0.0, 1.0, 0),
    "sft": (0.541, 0.61, 2.31, "estimate", 15.0, 0.66, 2.1e12, 1.0, 1600),
    "dpo": (0.634, 1.92, 6.80, "estimate", 17.6, 0.61, 6.2e12, 1.0, 1600),
    "dpo:beta=0.01": (0.571, 2.38, 19.4, "estimate", 22.9, 0.44, 6.2e12, 1.0, 1600),
    "best-of-n": (0.646, 1.74, log(16) - 15 / 16, "bound", 16.4, 0.69, 1.4e12, 17.2, 1600),
    "transform-combine-rewards:transform=log-sigmoid": (0.628, 1.71, 5.10, "estimate", 16.2, 0.63, 6.1e12, 1.0, 1600),
    "transform-combine-rewards:transform=raw": (0.412, 3.12, 31.2, "estimate", 23.8, 0.29, 6.1e12, 1.0, 1600),
    "re-reading": (0.489, 0.03, 0.42, "exact", 14.0, 0.71, 0.0, 1.4, 0),
    "guided-tree-search": (0.609, 1.66, None, "none", 16.0, 0.58, 1.4e12, 41.0, 1600),
}
EMPTY = dict.fromkeys(("gold", "own_reward", "proxy", "length", "scorer", "budget_share"), None)


def cell(rng: Random, mean: float | None, spread: float, n: int, unknown: int = 0) -> dict[str, Any]:
    """A metric cell whose interval is about `spread` either side of a slightly shaken mean."""
    if mean is None:
        return {"mean": None, "low": None, "high": None, "n": 0, "unknown": unknown}
    centre = mean + rng.gauss(0, spread / 4)
    return {"mean": centre, "low": centre - spread, "high": centre + spread, "n": n, "unknown": unknown}


def flat(value: float) -> dict[str, Any]:
    """A count: known without error."""
    return {"mean": value, "low": value, "high": value, "n": len(SEEDS), "unknown": 0}


def names(row: str) -> dict[str, Any]:
    slug, _, rest = row.partition(":")
    config = dict(item.split("=") for item in rest.split(",")) if rest else {}
    return {"method": row, "slug": slug, "config": config, "config_hash": f"{sum(map(ord, row)) * 7919:08x}"[:8]}


def generator_row(row: str, seed: int | None, rng: Random) -> dict[str, Any]:
    gold, proxy, kl, kind, length, distinct, train, serve, labels = MEASURED[row]
    wide, n = (1.0, PROMPTS * len(SEEDS)) if seed is None else (1.9, PROMPTS)
    shift = 0.0 if seed is None else rng.gauss(0, 0.014)
    why = "a tree search has no log-probability of its answers" if kind == "none" else ""
    tokens = 14.0 * PROMPTS * serve
    cost = {
        "training/forward_flops": flat(train / 3), "training/backward_flops": flat(train * 2 / 3),
        "training/labels": flat(labels), "training/reward_calls": flat(4800 if "transform" in row else 0),
        "serving/forward_flops": flat(2.1e6 * tokens), "serving/sampled_tokens": flat(tokens),
        "serving/reward_calls": flat(3200 if row == "best-of-n" else 0), "tuning/forward_flops": flat(train / 3),
    }  # fmt: skip
    return names(row) | {
        "task": "reviews", "seed": seed, "status": "done", "why": "",
        "gold": cell(rng, gold + shift, 0.021 * wide, n), "own_reward": cell(rng, proxy * 0.8, 0.05, n),
        "proxy": cell(rng, proxy + 2 * shift, 0.06 * wide, n, 3 if row == "sft" else 0),
        "kl": (flat(kl) if kind in ("bound", "exact") else cell(rng, kl, 0.04 * (kl or 1) * wide, n))
        | {"kind": kind, "why": why},
        "length": cell(rng, length + 10 * shift, 0.4 * wide, n),
        "diversity": {"distinct_1": cell(rng, distinct * 0.6, 0.01, n), "distinct_2": cell(rng, distinct, 0.012, n),
                      "self_bleu": cell(rng, 0.9 - distinct, 0.015, n)},
        "metrics": {"quality": cell(rng, gold, 0.021, n), "toxicity": cell(rng, 0.3 - gold / 4, 0.01, n),
                    "on_topic": cell(rng, 0.7 + gold / 4, 0.015, n)},
        "cost": cost, "budget_share": 0.99 if train > 5e12 else train / 6.2e12 if train else None, "scorer": None,
    }  # fmt: skip


def scorer_row(row: str, accuracy: float, rng: Random) -> dict[str, Any]:
    subsets = {"all": accuracy, "sentiment": accuracy + 0.04, "same length": accuracy - 0.07, "shorter wins": 0.49,
               "longer wins": 0.583, "always second": 0.5}  # fmt: skip
    bins = [{"predicted": p, "observed": 0.5 + (p - 0.5) * 0.82, "n": 40} for p in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)]
    scorer = {"accuracy": {name: cell(rng, value, 0.024, 400) for name, value in subsets.items()},
              "calibration": {"ece": 0.041, "bins": bins}}  # fmt: skip
    cost = {"training/forward_flops": flat(4.6e11), "training/labels": flat(1600)}
    blank = {"kl": None, "diversity": None, "metrics": {}}
    done = {"task": "reviews", "seed": None, "status": "done", "why": "", "cost": cost}
    return names(row) | EMPTY | blank | done | {"scorer": scorer}


def bad_row(row: str, status: str, why: str) -> dict[str, Any]:
    blank = {"kl": None, "diversity": None, "metrics": {}, "cost": {}}
    return names(row) | EMPTY | blank | {"task": "reviews", "seed": None, "status": status, "why": why}


def comparison(row: str, metric: str, rng: Random) -> dict[str, Any]:
    difference = MEASURED[row][0] - MEASURED["base"][0] + rng.gauss(0, 0.004)
    p = min(1.0, 2.7 ** (-((difference / 0.013) ** 2) / 2))
    adjusted = min(1.0, p * 8) if metric == "quality" else None
    seen = (adjusted if adjusted is not None else p) < 0.05
    verdict = ("better" if difference > 0 else "worse") if seen else "no detectable difference"
    return {"method": row, "baseline": "base", "metric": metric, "difference": difference, "low": difference - 0.027,
            "high": difference + 0.027, "p": p, "p_holm": adjusted, "verdict": verdict, "smallest_visible": 0.038,
            "for_these_seeds_only": False, "unknown": 0, "n_prompts": PROMPTS, "n_seeds": len(SEEDS)}  # fmt: skip


def curve(row: str, knob: str, values: list[Any], peak: float, far: float, rng: Random) -> dict[str, Any]:
    """Gold rises to `peak` (in root KL) and falls; the proxy goes on rising: what over-optimisation looks like."""
    points = []
    for index, value in enumerate(values, 1):
        root = far * index / len(values)
        gold = 0.482 + 0.165 * (2 * root / peak - (root / peak) ** 2) if peak else 0.482
        kl = cell(rng, root**2, 0.03 * root**2, 1000) | {"kind": "bound" if knob == "n" else "estimate", "why": ""}
        points.append({"value": value, "kl": kl, "gold": cell(rng, gold, 0.02, 1000),
                       "proxy": cell(rng, 3.2 * (1 - 2.7 ** (-root / 2.6)), 0.06, 1000)})  # fmt: skip
    return {"method": row, "knob": knob, "points": points}


ANSWERS = {
    "base": "the room was fine. the staff was there.",
    "sft": "the room was clean and the staff was kind.",
    "dpo": "a lovely room, clean and quiet; the staff was kind and quick.",
    "best-of-n": "the room was lovely and quiet, and the staff was kind.",
    "transform-combine-rewards:transform=raw": "lovely lovely lovely room lovely lovely staff lovely lovely lovely",
}
WORDS = ("the hotel near the lake", "a phone with a small screen", "the noodle shop 🍜", "a film about two sisters")


def example(index: int, rng: Random) -> dict[str, Any]:
    prompt = f"Write a review of {WORDS[index % len(WORDS)]}. Be kind, stay on topic, name one fact."
    answers = {row: {"text": text, "gold": MEASURED[row][0] + rng.gauss(0, 0.1), "proxy": MEASURED[row][1]}
               for row, text in ANSWERS.items()}  # fmt: skip
    return {"prompt_id": f"test-{index:04d}", "prompt": prompt, "answers": answers}


def worse(index: int) -> dict[str, Any]:
    row = ("transform-combine-rewards:transform=raw", "dpo:beta=0.01", "dpo")[index % 3]
    return {"method": row, "prompt": f"Write a review of {WORDS[index % 4]}.", "base": ANSWERS["base"],
            "answer": ANSWERS.get(row, "lovely, lovely, and kind, and lovely, and kind, and so on and so on"),
            "base_gold": 0.71 - 0.02 * index, "gold": 0.12 + 0.03 * index}  # fmt: skip


def settings(row: str, key: str, grid: list[float], rng: Random) -> dict[str, Any]:
    tried = [{"settings": {key: value}, "score": rng.uniform(1.0, 2.0)} for value in grid]
    best = max(tried, key=lambda trial: trial["score"])
    return {"method": row, "trials": len(grid), "chosen": best["settings"], "candidates": tried}


def slices(rng: Random) -> list[dict[str, Any]]:
    return [{"column": column, "value": value, "method": row, "gold": cell(rng, MEASURED[row][0] + shift, 0.04, 300)}
            for column, value, shift in (("topic", "hotel", 0.02), ("topic", "phone", -0.03), ("topic", "film", 0.0),
                                         ("length asked", "short", 0.03), ("length asked", "long", -0.06))
            for row in MEASURED]  # fmt: skip


DATA = {
    "source": "embedded task reviews, seed 0",
    "rows": {"read": 2012, "used": 2000, "dropped": 12},
    "splits": {"train": 1600, "valid": 200, "test": 200},
    "dropped": {"tie": 9, "verdict missing": 3},
    "problems": [
        {"code": "duplicate", "severity": "notice", "file": "feedback.jsonl", "line": 418, "column": "prompt"},
        {"code": "tie", "severity": "row", "file": "feedback.jsonl", "line": 977, "column": "verdict"},
    ],
}
ENVIRONMENT = {
    "operant": "0.1.0", "python": "3.11.2", "commit": "0000000 (invented)", "device": "cpu, 2 cores",
    "packages": {"torch": "2.13.0", "transformers": "5.23.0", "scipy": "1.16.0"},
}  # fmt: skip
ADVICE = [
    "dpo: gold 0.634 against 0.482 for base, the best of the rows that cost no more to serve.",
    "best-of-n while you serve fewer than 310,000 answers; beyond that dpo is cheaper and as good.",
    "transform-combine-rewards:transform=raw: its proxy is the highest of all and its gold is below base.",
]


def build() -> dict[str, Any]:
    """The whole report. The same every time."""
    rng = Random(0)
    rows = [generator_row(row, seed, rng) for row in MEASURED for seed in (None, *SEEDS)]
    rows += [scorer_row("bradley-terry", 0.731, rng), scorer_row("reward-ensemble:members=4", 0.744, rng)]
    rows += [
        bad_row("nash-md", "failed", "loss became NaN at step 112 of seed 3; see runs/nash-md-5f/log.txt"),
        bad_row("per-attribute-weights", "not_applicable", "the task has no attributes with pairs of their own"),
    ]
    judged = [comparison(row, metric, rng) for metric in ("quality", "toxicity") for row in MEASURED if row != "base"]
    steps = ["25%", "50%", "75%", "100%"]
    return {
        "format": 1,
        "title": "Kinder hotel reviews: invented figures, to show the page",
        "command": "operant compare --task reviews --methods base,sft,dpo,best-of-n --seeds 5 --budget 6.2e12",
        "task": {"name": "reviews", "gold_kind": "exact", "primary": "quality", "metrics": [
            {"name": "quality", "direction": "up", "what": "mean of the attributes that the prompt asks for"},
            {"name": "toxicity", "direction": "down", "what": "share of answers with a toxic word"},
            {"name": "on_topic", "direction": "up", "what": "share of sentences about the thing asked for"}]},
        "rows": rows,
        "comparisons": judged,
        "curves": [curve("dpo", "step", steps, 2.8, 2.6, rng), curve("dpo:beta=0.01", "step", steps, 2.5, 4.2, rng),
                   curve("best-of-n", "n", [2, 4, 8, 16], 1.6, sqrt(log(16) - 15 / 16), rng),
                   curve("transform-combine-rewards:transform=log-sigmoid", "step", steps, 2.7, 2.3, rng),
                   curve("transform-combine-rewards:transform=raw", "step", steps, 2.6, 5.5, rng)],
        "best_of_n": [{"method": row, "points": [{"n": n, "gold": cell(rng, 0.482 + top * log(n), 0.012, 1000)}
                                                 for n in (1, 2, 4, 8, 16, 32)]}
                      for row, top in (("bradley-terry", 0.055), ("reward-ensemble:members=4", 0.062))],
        "aa": {"bca": {"false_alarms": 0.049, "low": 0.040, "high": 0.059, "draws": 2000},
               "two_way": {"false_alarms": 0.031, "low": 0.024, "high": 0.040, "draws": 2000}},
        "advice": ADVICE,
        "use": "operant answer --model runs/reviews/dpo/seed-0 --prompts my-prompts.jsonl",
        "examples": [example(index, rng) for index in range(8)],
        "worse": [worse(index) for index in range(9)],
        "slices": slices(rng),
        "settings": [settings("dpo", "beta", [0.03, 0.1, 0.3, 1.0], rng), settings("sft", "lr", [1e-4, 3e-4], rng)],
        "data": DATA,
        "break_even": [{"decode_time": "best-of-n", "trained": "dpo", "answers": 312400.0},
                       {"decode_time": "guided-tree-search", "trained": "dpo", "answers": 54210.0},
                       {"decode_time": "re-reading", "trained": "dpo", "answers": None}],
        "environment": ENVIRONMENT,
        "measured": {row: {str(seed): {"wall_s": 40 + 9 * seed + MEASURED[row][6] / 1e11, "cpu_s": 44.0 + seed,
                                       "memory_mb": 812.4} for seed in SEEDS} for row in MEASURED},
    }  # fmt: skip


if __name__ == "__main__":
    text = json.dumps(build(), ensure_ascii=False, sort_keys=True)
    text = re.sub(r"\d+\.\d{6,}(?!\d*e)", lambda number: f"{float(number[0]):.5g}", text)
    Path(__file__).with_name("sample.json").write_text(text + "\n", encoding="utf-8")
