"""Operant's own way to train, as `operant train` does it, on the rows that the peers get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.subjects import Rows
from operant.engine.logps import item_values
from operant.engine.policy import LanguageModel
from operant.engine.reward import reward_scores
from operant.models.heads import new_reward_head
from operant.objectives import answer_nll_batch_mean, bradley_terry_loss, dpo_loss
from operant.schema import Answer, Pair, Prompt
from operant.training.fit import fit
from operant.training.pairs import PairRow, pair_rows, pairwise, sides, with_reference
from operant.training.update import Schedule

BATCH = 8


def train(what: str, directory: Path, rows: Rows, settings: Sequence[str], _: Path) -> Callable[[], None]:
    """One epoch, of a model that is trained on from run to run. Settings: bf16."""
    model = LanguageModel.load(directory)
    items, module, loss = prepared(what, model, rows)
    steps = -(-len(items) // BATCH)

    def run() -> None:
        with TemporaryDirectory() as scratch:
            schedule = Schedule(steps=steps, learning_rate=1e-6, batch_size=BATCH)
            fit(module, items, loss, schedule, Path(scratch), half="bf16" in settings)

    return run


def prepared(what: str, model: LanguageModel, rows: Rows) -> tuple[list[PairRow], Any, Any]:
    """Items, the module that is trained, and its loss."""
    items, pad = encoded(model, rows), model.tokenizer.pad_token_id
    if what == "dpo":
        values = pairwise(lambda logps: dpo_loss(logps.chosen, logps.rejected, beta=0.1), pad=pad)
        return with_reference(items, model), model.module, lambda part, whole: values(model.module, part, whole)
    if what == "sft":
        return items, model.module, lambda part, whole: imitated(model.module, part, whole, pad)
    head = new_reward_head(model.module, model.tokenizer, rng=torch.Generator().manual_seed(0))

    def preferred(part: Sequence[PairRow], _: Sequence[PairRow]) -> Any:
        return bradley_terry_loss(*reward_scores(head, model.tokenizer, sides(part)).split(len(part)))

    return items, head, preferred


def imitated(module: Any, part: Sequence[PairRow], whole: Sequence[PairRow], pad: int) -> Any:
    size = {"batch_tokens": sum(len(row.chosen.answer) for row in whole), "batch_examples": len(whole)}
    answers = [[row.chosen] for row in part]
    return item_values(module, answers, lambda _, found: answer_nll_batch_mean(*found, **size), pad=pad)


def encoded(model: LanguageModel, rows: Rows) -> list[PairRow]:
    pairs = [
        Pair(prompt=Prompt(id=str(place), content=row["prompt"]), chosen=Answer(value=row["chosen"]),
             rejected=Answer(value=row["rejected"]))
        for place, row in enumerate(rows)
    ]  # fmt: skip
    return pair_rows(model.tokenizer, pairs, max_length=1024)
