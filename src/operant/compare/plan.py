"""What a comparison would take, before it starts."""

from __future__ import annotations

import os

import torch
import torch.utils.benchmark

from operant.compare.options import Options
from operant.compare.rows import check_rows, parse_rows
from operant.compare.setup import EPOCHS, make_task
from operant.methods import card
from operant.models.flops import forward_flops
from operant.training.pairs import pair_rows, preference_ceiling


def plan_lines(options: Options, *, workers: int | None) -> list[str]:
    """Cells, ceiling, tokens, time, memory and disk; the time assumes this core's matrix rate, measured now."""
    rows = parse_rows(options)
    check_rows(rows, options)
    task = make_task(options, seed=0)
    base = task.base()
    pairs = pair_rows(base.tokenizer, task.pairs("train"), max_length=options.max_length)
    ceiling = options.budget or preference_ceiling(base.module, pairs, epochs=EPOCHS)
    prompts = len(task.prompts("test"))
    length = max(len(pair.chosen.prompt) for pair in pairs) + options.max_tokens
    trained = sum(bool(card(row.slug).search) for row in rows)
    tuned = 1 + (0.25 * options.trials if options.trials > 1 else 0)
    drawn = prompts * options.seeds * (len(rows) * (1 + options.points) + 3 * options.pool)
    one = forward_flops(base.module, rows=1, queries=length, keys=length, head_rows=options.max_tokens)
    flops = options.seeds * trained * tuned * ceiling + drawn * one
    cores = workers or os.cpu_count() or 1
    weights = sum(weight.numel() * 4 for weight in base.module.parameters())
    return [
        f"cells: {len(rows)} rows x {options.seeds} seeds = {len(rows) * options.seeds}",
        f"ceiling of one run: {ceiling:.3g} FLOPs, {len(pairs)} labels",
        f"test answers, curves included: about {drawn:,} of at most {options.max_tokens} tokens",
        f"time: about {flops / _rate() / cores / 60 + 0.5:.0f} minutes on {cores} worker(s), within a factor of 2",
        f"memory: about {cores * (0.6e9 + 8 * weights) / 1e9:.1f} GB; disk: up to "
        f"{weights * len(rows) * options.seeds * (1 + options.points) / 1e9:.2f} GB in runs/",
        "endpoint price: none, no endpoint is used",
    ]


def _rate() -> float:
    """FLOPs a second of one core here: half of what a bare product of small matrices reaches now."""
    left = torch.ones(512, 144)
    right = torch.ones(144, 384)
    timer = torch.utils.benchmark.Timer("left @ right", globals={"left": left, "right": right}, num_threads=1)
    return 2 * 512 * 144 * 384 / timer.timeit(50).median / 2
