"""Train the base of an embedded task: `python scripts/build_base.py reviews`, about 12 minutes on one core."""

import argparse
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from operant.domains.text.tasks.reviews.grammar import Style, draw_request, draw_review, draw_traits, vocabulary
from operant.engine.logps import answer_logps
from operant.models.causal import save_causal
from operant.models.small import small_llama
from operant.models.text import Encoded
from operant.training.fit import Schedule, fit

OUT = Path(__file__).parents[1] / "src/operant/domains/text/bases"


def reviews(rows: int, seed: int) -> list[tuple[str, str]]:
    rng = Random(f"base/{seed}")
    requests = [draw_request(rng) for _ in range(rows)]
    return [(request.text(), draw_review(rng, request, draw_traits(rng, Style()))) for request in requests]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["reviews"])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    module, tokenizer = small_llama(vocabulary(), hidden=144, layers=4, seed=0)
    print(f"{sum(p.numel() for p in module.parameters()):,} parameters")
    ids = lambda text: tuple(tokenizer(text)["input_ids"])  # noqa: E731
    items = [Encoded(ids(prompt), (*ids(text), tokenizer.eos_token_id)) for prompt, text in reviews(80_000, 0)]
    started = time.perf_counter()

    def loss(part, whole):
        logps, mask = answer_logps(module, part, pad=tokenizer.pad_token_id)
        return -logps.sum(1) * len(whole) / sum(len(item.answer) for item in whole)

    def progress(step, steps):
        if step % 100 == 0:
            print(f"step {step}/{steps}, {time.perf_counter() - started:.0f} s", flush=True)

    schedule = Schedule(steps=args.steps, learning_rate=2e-3, batch_size=64, weight_decay=0.01, warmup=0.05)
    with TemporaryDirectory() as scratch:
        fitted = fit(module, items, loss, schedule, Path(scratch), progress=progress)
    print(f"loss per token, last 100 steps: {sum(fitted.losses[-100:]) / 100:.4f} nats")
    save_causal(module.to(torch.bfloat16), tokenizer, args.out / args.task)


if __name__ == "__main__":
    main()
