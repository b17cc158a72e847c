"""Train the bodies of reward models for `reviews`, which differ in their pretraining seed alone: about 8 minutes."""

import argparse
from pathlib import Path

import torch
from build_base import OUT, RECIPES, train

from operant.models.causal import save_causal
from operant.models.small import small_llama

SEEDS = 4
STEPS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT / "reviews_bodies")
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES["reviews"]
    for seed in range(SEEDS):
        module, tokenizer = small_llama(recipe.vocabulary(), hidden=96, layers=3, seed=100 + seed)
        train(recipe, module, tokenizer, STEPS, seed=seed)
        save_causal(module.to(torch.bfloat16), tokenizer, args.out / str(seed))


if __name__ == "__main__":
    main()
