"""A Bradley-Terry reward model: one head on a copy of the base, fitted to pairs. The proxy of every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.engine.reward import reward_flops, reward_scores
from operant.models.heads import new_reward_head
from operant.objectives.reward import bradley_terry_loss
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products
from operant.training.budgeted import Fit, schedule_for
from operant.training.fit import fit
from operant.training.pairs import PairRow, pair_rows


@dataclass(frozen=True, kw_only=True)
class Config(Fit):
    attribute: str | None = None  # pairs about one attribute; None: the overall preference
    use_margin: bool = False  # subtract the pair's margin, where the feedback has one
    learning_rate: float = 1e-5
    epochs: float | None = 1


def run(config: Config, bench: Bench) -> Products:
    tokenizer = bench.base.tokenizer
    pairs = bench.task.pairs("train", attribute=config.attribute)
    rows = pair_rows(tokenizer, pairs, max_length=bench.max_length)
    rng = torch.Generator().manual_seed(answer_seed(bench.seed, "reward head"))
    head = new_reward_head(bench.base.module, tokenizer, rng=rng)

    def loss(part: Sequence[PairRow], whole: Sequence[PairRow]) -> Tensor:
        assert whole
        rewards = reward_scores(head, tokenizer, [row.chosen for row in part] + [row.rejected for row in part])
        margin = torch.tensor([row.margin or 0.0 for row in part]) if config.use_margin else None
        return bradley_terry_loss(rewards[: len(part)], rewards[len(part) :], margin=margin)

    def cost(part: Sequence[PairRow]) -> float:
        return reward_flops(head, tokenizer, [*(row.chosen for row in part), *(row.rejected for row in part)])

    fit(head, rows, loss, schedule_for(bench, rows, config, cost), bench.dir / "fit")
    return Products(scorer=RewardModel(head, tokenizer, max_length=bench.max_length))


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
