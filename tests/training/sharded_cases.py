"""Fits that a test makes alone, and two processes together: the same code for both.

As a script, `python -m training.sharded_cases FOLDER`, it is one of the processes of a launcher.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor
from transformers.modeling_layers import GradientCheckpointingLayer

from models.architectures import PAD, random_rows, tiny
from operant.cli.work import run_train
from operant.compare.alone import Aside
from operant.engine.logps import answer_logps, item_values
from operant.engine.policy import LanguageModel
from operant.engine.processes import gathered, joined
from operant.engine.recompute import recomputing
from operant.engine.reward import reward_flops, reward_scores
from operant.errors import OperantError
from operant.meter import metered
from operant.models.adapters import Lora
from operant.models.heads import new_reward_head
from operant.models.loading import PLAIN, Loading
from operant.models.text import Encoded
from operant.models.weights import weights
from operant.objectives.preference import dpo_loss
from operant.objectives.reward import bradley_terry_loss
from operant.training.fit import fit
from operant.training.pairs import PairRow, pair_cost, pairwise, pass_flops, sides
from operant.training.track import note_pairs, watched
from operant.training.update import Beside, Schedule

ROWS = [row for row in random_rows(60, longest_prompt=12) if len(row.answer) > 1]
PAIRS = [
    PairRow(one, Encoded(one.prompt, two.answer), one, None, -9.0, -8.0)
    for one, two in zip(ROWS[::2], ROWS[1::2], strict=False)
]
SCHEDULE = Schedule(steps=2, learning_rate=1e-3, batch_size=8, save_every=1, max_grad_norm=1e9)


@dataclass(kw_only=True)
class Case:
    module: Any
    loss: Any
    items: Any
    schedule: Schedule = SCHEDULE
    beside: Any = None
    half: bool = False
    recompute: bool = False
    seen: set[str] = field(default_factory=set)  # kinds of tensors that the loss finds as weights of a layer


def language_model(name: str = "llama", *, tied: bool = True, loading: Loading = PLAIN) -> Any:
    return LanguageModel(*tiny(name, tied=tied), loading=loading).trainable(seed=0).module


def pairs(items: Any = tuple(PAIRS[:12]), **more: Any) -> Case:
    """Direct preference optimisation; priced, as methods do it, so that packed rows have been tried."""
    module = more.pop("module", None) or language_model()
    pair_cost(module, items)

    def loss(logps: Any) -> Any:
        note_pairs(logps.chosen, logps.rejected, beta=0.1)
        return dpo_loss(logps.chosen, logps.rejected, beta=0.1)

    def bound(part: Any, whole: Any) -> Any:
        return pairwise(loss, pad=PAD)(module, part, whole)

    return Case(module=module, loss=bound, items=items, **more)


def texts() -> Case:
    """Imitation in parts; 5 rows are one batch, and its 6 parts hold one row or none."""
    module, rows = language_model("gpt2", tied=False), ROWS[:5]
    pass_flops(module, rows)

    def loss(part: Any, whole: Any) -> Any:
        return item_values(module, [[row] for row in part], lambda _, found: -found.sums, pad=PAD)

    return Case(module=module, loss=loss, items=rows, schedule=replace(SCHEDULE, batch_size=6, accumulate=6))


def head() -> Case:
    small = tiny("llama")
    module = new_reward_head(small.module, small.tokenizer, rng=torch.Generator().manual_seed(0)).float()
    reward_flops(module, small.tokenizer, sides(PAIRS))

    def loss(part: Any, whole: Any) -> Any:
        return bradley_terry_loss(*reward_scores(module, small.tokenizer, sides(part)).split(len(part)))

    return Case(module=module, loss=loss, items=PAIRS[:7])


def beside() -> Case:
    """Not priced, so rows are padded; every log-probability is asked for, and a small net weighs them."""
    module, side = language_model("qwen2"), torch.nn.Linear(1, 1)
    torch.nn.init.ones_(side.weight), torch.nn.init.ones_(side.bias)

    def loss(part: Any, whole: Any) -> Any:
        lengths = torch.tensor([[float(len(row.answer))] for row in part])
        return -answer_logps(module, part, pad=PAD).sums * side(lengths).squeeze(-1)

    return Case(module=module, loss=loss, items=ROWS[:9], beside=Beside(module=side))


CASES: dict[str, Callable[[], Case]] = {
    "pairs": pairs,
    "pairs in two parts": lambda: pairs(schedule=replace(SCHEDULE, accumulate=2)),
    "one pair": lambda: pairs(items=PAIRS[:1]),
    "recompute": lambda: pairs(module=language_model("gemma"), recompute=True),
    "adapters": lambda: pairs(module=language_model(tied=False, loading=Loading(lora=Lora(rank=2)))),
    "bfloat16": lambda: pairs(half=True),
    "texts": texts,
    "head": head,
    "beside": beside,
}


def made(case: Case, directory: Path) -> dict[str, Any]:
    """Everything that must not depend on how many processes made it, and what the loss saw."""
    steps: list[dict[str, float]] = []

    def seeing(part: Any, whole: Any) -> Any:
        assert len(whole) == min(len(case.items), case.schedule.batch_size)
        layers = [one for one in case.module.modules() if isinstance(one, GradientCheckpointingLayer)]
        trained = next(one for layer in layers for one in layer.parameters() if one.requires_grad)
        cut = isinstance(trained, DTensor) and trained.to_local().numel() < trained.numel()
        case.seen.add("a piece" if cut else "whole")
        return case.loss(part, whole)

    with (
        recomputing(case.module) if case.recompute else nullcontext(),
        watched(lambda values, _: steps.append(values)),
        metered() as cost,
    ):
        fit(case.module, case.items, seeing, case.schedule, directory, beside=case.beside, half=case.half)
    assert not any(isinstance(one, DTensor) for one in case.module.parameters())
    return {"steps": steps, "flops": cost.flops, "seen": sorted(case.seen), "type": repr(case.module)}


def killed(case: Case, directory: Path, *, parts: int) -> None:
    """A fit that dies before one of its parts is computed; the process lives on."""
    whole, calls = case.loss, iter(range(parts))

    def loss(part: Any, batch: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return whole(part, batch)

    case.loss = loss
    try:
        made(case, directory)
    except KeyboardInterrupt:
        return
    raise AssertionError("the fit ended")


LONG = replace(SCHEDULE, steps=5, save_every=2, points=1, max_grad_norm=1.0, weight_decay=0.1)


def train(files: Path, out: Path, row: str = "dpo:learning_rate=1e-3") -> None:
    """`operant train`, a few steps."""
    flags = {"model": str(files / "model"), "data": str(files / "pairs.jsonl"), "methods": [row], "max_length": 96,
             "budget": 1e9}  # fmt: skip
    run_train(flags, seed=0, out=out, aside=Aside())


def said(case: Case, directory: Path) -> str:
    """The error that a fit ends with."""
    try:
        made(case, directory)
    except OperantError as error:
        return str(error)
    return "nothing"


class Gain(torch.nn.Module):
    """A single number, which cannot be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(1.0))


def gain() -> Case:
    module = Gain()
    return Case(module=module, loss=lambda part, whole: module.gain * torch.ones(len(part)), items=[1, 2])


def work(folder: Path) -> None:
    """What one of the processes does; each has a folder of its own, and fits take place in the first one's."""
    with joined() as here:
        own = folder / f"process {here.rank}"
        own.mkdir()
        found: dict[str, Any] = {}
        for name, case in CASES.items():
            one = case()
            found[name] = made(one, own / name)
            save_file(weights(one.module), own / f"{name}.safetensors")
        resumed = pairs(schedule=LONG)
        made(resumed, folder / "begun by one")
        save_file(weights(resumed.module), own / "resumed.safetensors")
        killed(pairs(schedule=LONG), folder / "begun by two", parts=3)
        found["left"] = gathered(sorted(path.name for path in own.iterdir()))
        found["other items"] = said(pairs(items=PAIRS[: 4 + here.rank]), own / "other")
        found["one number"] = said(gain(), own / "number")
        train(folder, folder / "dpo of two")
        train(folder, folder / "dpo-delta of two", "dpo-delta")
    (folder / f"{here.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    try:
        work(Path(sys.argv[1]))
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)
