"""A Bradley-Terry reward model: one head on a copy of the base, fitted to pairs. The proxy of every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from operant.card import Card, Claim, Method
from operant.objectives.reward import bradley_terry_loss
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products
from operant.training.budgeted import Fit
from operant.training.pairs import PairRow, pair_rows
from operant.training.reward import fit_head


@dataclass(frozen=True, kw_only=True)
class Config(Fit):
    attribute: str | None = None  # pairs about one attribute; None: the overall preference
    use_margin: bool = False  # subtract the pair's margin, where the feedback has one
    learning_rate: float = 1e-5
    epochs: float | None = 1


def run(config: Config, bench: Bench) -> Products:
    pairs = bench.task.pairs("train", attribute=config.attribute)
    rows = pair_rows(bench.base.tokenizer, pairs, max_length=bench.max_length)

    def loss(chosen: Tensor, rejected: Tensor, part: Sequence[PairRow]) -> Tensor:
        margin = chosen.new_tensor([row.margin or 0.0 for row in part]) if config.use_margin else None
        return bradley_terry_loss(chosen, rejected, margin=margin)

    head = fit_head(bench, bench.base, rows, loss, config, seed=bench.seed)
    return Products(
        scorer=RewardModel(head.module, bench.base.tokenizer, max_length=bench.max_length, adapter=head.adapter)
    )


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and base is not None
    return Products(scorer=RewardModel.load(directory / "scorer"))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="bradley-terry",
        family="reference",
        kind="model",
        paper="",
        title="Bradley-Terry reward model",
        claims=(Claim("reviews", "accuracy", "up", against="longer-wins", smallest=0.05),),
        baselines=("longer-wins",),
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 1e-3, "epochs": 3},
    ),
)
