"""What a comparison would take, before it starts."""

from __future__ import annotations

import os

import torch
import torch.utils.benchmark

from operant.compare.feedback import ceiling_of, has_weights
from operant.compare.options import Options
from operant.compare.rows import check_rows, parse_rows
from operant.compare.setup import make_task
from operant.methods import card
from operant.models.flops import forward_flops
from operant.models.text import encode_prompt


def plan_lines(options: Options, *, workers: int | None) -> list[str]:
    """Cells, ceiling, tokens, time, memory and disk; the time assumes this core's matrix rate, measured now."""
    rows = parse_rows(options)
    check_rows(rows, options)
    task = make_task(options, seed=0)
    base = task.base(options.loading)
    prompts = len(task.prompts("test"))
    drawn = prompts * options.seeds * (len(rows) * (1 + options.points) + 3 * options.pool)
    cells = f"cells: {len(rows)} rows x {options.seeds} seeds = {len(rows) * options.seeds}"
    answers = f"test answers, curves included: about {drawn:,} of at most {options.answer_tokens} tokens"
    if task.allowance:
        return [cells, f"ceiling of one run: {ceiling_of(task, base, options)}", f"test answers: about {drawn:,}"]
    if not has_weights(base):
        sampled = f"about {drawn:,} requests and {drawn * options.answer_tokens:,} sampled tokens at most"
        return [cells, answers, f"endpoint: {sampled}, prompts not counted; its price is not known here"]
    ceiling = ceiling_of(task, base, options)
    asked = [encode_prompt(base.tokenizer, prompt) for prompt in task.prompts("test")]
    length = max(map(len, asked), default=0) + options.answer_tokens
    trained = sum(bool(card(row.slug).search) for row in rows)
    tuned = 1 + (0.25 * options.trials if options.trials > 1 else 0)
    one = forward_flops(base.module, tokens=length, attended=length**2, head_rows=options.answer_tokens)
    flops = options.seeds * trained * tuned * ceiling.flops + drawn * one
    cores = workers or os.cpu_count() or 1
    weights = sum(weight.numel() * 4 for weight in base.module.parameters())
    return [
        cells,
        f"ceiling of one run: {ceiling}",
        answers,
        f"time: about {flops / _rate() / cores / 60 + 0.5:.0f} minutes on {cores} worker(s), within a factor of 2",
        f"memory: about {cores * (1e9 + 8 * weights) / 1e9:.1f} GB; disk: up to "
        f"{weights * len(rows) * options.seeds * (1 + options.points) / 1e9:.2f} GB in runs/",
        "endpoint price: "
        + ("none, no endpoint is used" if "@http" not in str(options.scorer) else "the judge's, unknown"),
    ]


def _rate() -> float:
    """FLOPs a second of one core here: half of what a bare product of small matrices reaches now."""
    left = torch.ones(512, 144)
    right = torch.ones(144, 384)
    timer = torch.utils.benchmark.Timer("left @ right", globals={"left": left, "right": right}, num_threads=1)
    return 2 * 512 * 144 * 384 / timer.timeit(50).median / 2
