"""A round of GRPO: 8 prompts, 8 answers of 64 tokens to each, scores, and one update; or four, with a reference.

Four updates are two passes over two halves. What both sides share: the prompts, the reward, the loss (every token of an
update weighs the same), AdamW, and that no answer ends early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from benchmarks.subjects import PAD
from operant.engine.logps import all_logps
from operant.engine.policy import LanguageModel
from operant.engine.sampler import sample
from operant.loops.rounds import Kept, Learnt, Round, answerwise
from operant.models.text import Encoded
from operant.objectives import batch_token_mean, group_relative, ppo_loss, token_k3, token_ratios
from operant.schema import Decoding
from operant.training.fit import fit
from operant.training.update import Schedule

PROMPTS, ANSWERS, TOKENS = 8, 8, 64
RATE, CLIP, BETA = 1e-6, 0.2, 0.04


def prompts(vocabulary: int) -> list[tuple[int, ...]]:
    """64 to 256 tokens, most about 128."""
    rng = Random(0)
    lengths = [int(min(256, max(64, rng.lognormvariate(math.log(128), 0.4)))) for _ in range(PROMPTS)]
    return [tuple(rng.randrange(4, vocabulary) for _ in range(length)) for length in lengths]


def reward(ids: Sequence[int]) -> float:
    return sum(one % 7 == 0 for one in ids) / len(ids)


def ours(directory: Path, vocabulary: int, settings: Sequence[str], _: Path) -> Callable[[], None]:
    """Settings: four, bf16."""
    model, four, seed = LanguageModel.load(directory), "four" in settings, count()
    base, asked = model.snapshot(), [(str(place), ids) for place, ids in enumerate(prompts(vocabulary))]
    steps, size = (4, PROMPTS // 2) if four else (1, PROMPTS)
    schedule = Schedule(steps=steps, learning_rate=RATE, batch_size=size, shuffled=False)

    def run() -> None:
        drawn = sample(
            model.module, asked, n=ANSWERS, decoding=Decoding(max_tokens=TOKENS), seed=next(seed), stops=frozenset(),
            pad=PAD,
        )  # fmt: skip
        rows = [[Encoded(ids, one.tokens) for one in many] for (_, ids), many in zip(asked, drawn, strict=True)]
        told = [[reward(one.tokens) for one in many] for many in drawn]
        worth = group_relative(torch.tensor(told), scaled=True).tolist()
        known = iter(all_logps(base.module, [one for many in rows for one in many], pad=PAD) if four else [()] * 64)
        groups = [
            tuple(
                Kept(row, one.logps or (), next(known), paid, above)
                for row, one, paid, above in zip(*whole, strict=True)
            )
            for whole in zip(rows, drawn, told, worth, strict=True)
        ]
        with TemporaryDirectory() as scratch:
            fit(
                model.module,
                groups,
                partial(loss, model.module, four),
                schedule,
                Path(scratch),
                half="bf16" in settings,
            )

    return run


def loss(module: Any, beta: float, part: Sequence[tuple[Kept, ...]], whole: Sequence[tuple[Kept, ...]]) -> Tensor:
    """[prompts] whose mean is the loss over the update's tokens."""
    values = answerwise(partial(objective, beta), pad=PAD)
    rows = [one for group in part for one in group]
    each = values(module, rows, Round(0, tuple(whole), 0.0))
    return torch.stack([own.mean() for own in each.split([len(group) for group in part])])


def objective(beta: float, one: Learnt) -> Tensor:
    """TRL's default: clipped, normalised over tokens; its KL times the ratio."""
    kept = one.whole.everyone
    reduce = partial(
        batch_token_mean, batch_tokens=sum(len(own.row.answer) for own in kept), batch_answers=len(kept)
    )  # fmt: skip
    found = ppo_loss(one.logps, one.old, one.mask, one.advantages.unsqueeze(1), low=CLIP, high=CLIP, reduce=reduce)
    if beta:
        kl = token_k3(one.logps, one.reference, one.mask) * token_ratios(one.logps, one.old, one.mask)
        found = found + beta * reduce(kl, one.mask)
    return found


def trl(directory: Path, vocabulary: int, settings: Sequence[str], folder: Path) -> Callable[[], Any]:
    """Settings: best (no checkpointing), fp32, four."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    about: dict[str, Any] = {
        "output_dir": str(folder / "trl-grpo"), "per_device_train_batch_size": PROMPTS * ANSWERS, "max_steps": 1,
        "num_generations": ANSWERS, "max_completion_length": TOKENS, "report_to": [], "save_strategy": "no",
        "use_cpu": True, "disable_tqdm": True, "logging_strategy": "no", "learning_rate": RATE,
        "generation_kwargs": {"min_new_tokens": TOKENS, "top_k": 0},
    }  # fmt: skip
    about |= {"bf16": False} if "fp32" in settings else {}
    about |= {"gradient_checkpointing": False} if "best" in settings else {}
    if "four" in settings:
        half = PROMPTS * ANSWERS // 2
        about |= {"per_device_train_batch_size": half, "steps_per_generation": 2, "num_iterations": 2, "max_steps": 4}
        about |= {"beta": BETA}
    texts = [{"prompt": " ".join(f"w{one}" for one in ids)} for ids in prompts(vocabulary)]

    def paid(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        return [reward(ids) for ids in completion_ids]

    trainer = GRPOTrainer(
        str(directory), reward_funcs=paid, args=GRPOConfig(**about), train_dataset=Dataset.from_list(texts),
        processing_class=AutoTokenizer.from_pretrained(directory),
    )  # fmt: skip

    def run() -> None:
        trainer._buffered_inputs, trainer._step = None, 0  # or the answers of the run before are learnt from again
        trainer.train()

    return run
