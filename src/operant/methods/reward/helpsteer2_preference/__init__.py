"""HelpSteer2-Preference (Wang et al. 2024): ratings and preferences of the same pairs, and what to do with both.

A reward model learns ratings by regression; from there it goes on with Bradley-Terry, each pair weighted by how strong
its preference is; then its weights are carried a little further in the direction that this second training went.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from operant.card import Card, Claim, Method
from operant.errors import NotApplicable, require
from operant.methods.reward.helpsteer2_preference.chosen import Judge, beyond, plain, values
from operant.methods.reward.helpsteer2_preference.rows import RatedRow, preference_rows, rated_rows
from operant.models.text import Encoded
from operant.models.wide_heads import narrow, narrow_states
from operant.objectives.graded import rating_loss, scaled_bradley_terry_loss
from operant.objectives.reward import bradley_terry_loss
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products
from operant.training.budgeted import PolicyFit, Stage
from operant.training.fit import Fitted
from operant.training.heads import fit_on, fresh_head
from operant.training.held_out import held_out
from operant.training.pairs import PairRow, sides
from operant.training.reward import Head

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)  # to choose from
REGRESSION = 2 / 3  # of the budget, where both are trained: two epochs and one


@dataclass(frozen=True, kw_only=True)
class Config(PolicyFit):
    start: Literal["regression", "base"] = "regression"  # what Bradley-Terry goes on from
    loss: Literal["scaled", "margin", "regular", "none"] = "scaled"  # none: the regression is the reward model
    regress: Literal["overall", "attributes"] = "overall"  # attributes: their ratings too, by outputs that are dropped
    rating_scale: float = 1.0  # ratings are divided by it
    regression_rate: float = 2e-6  # the learning rate of the regression
    regression_epochs: float | None = 2
    held_out: float = 0.1  # share of the training prompts that choose what follows
    points: int = 2  # states of the last training, of which one is chosen
    extrapolation: float | None = None  # alpha of ExPO; None: chosen, where both are trained
    learning_rate: float = 1e-6
    batch_size: int = 64  # pairs; answers of the regression
    epochs: float | None = 1

    def __post_init__(self) -> None:
        base = self.start == "base"
        require(not (base and self.loss == "none"), "loss", "none", "another one where start=base")
        require(not (base and self.regress == "attributes"), "regress", "attributes", "overall where start=base")
        require(self.extrapolation is None or self.both, "extrapolation", self.extrapolation,
                "left out: there is one training, and nothing to extrapolate from")  # fmt: skip
        require(self.rating_scale > 0, "rating_scale", self.rating_scale, "above 0")
        require(0 < self.held_out < 1, "held_out", self.held_out, "between 0 and 1")
        require(self.points >= 1, "points", self.points, "at least 1")

    @property
    def both(self) -> bool:
        return self.start == "regression" and self.loss != "none"

    @property
    def alphas(self) -> tuple[float, ...]:
        """What is tried beside the end of training itself."""
        if not self.both or self.extrapolation == 0:
            return ()
        return ALPHAS[1:] if self.extrapolation is None else (self.extrapolation,)


def run(config: Config, bench: Bench) -> Products:
    pairs, held = held_out(bench.task.pairs("train"), share=config.held_out, seed=bench.seed)
    judge = Judge(bench, held, passes=config.points + len(config.alphas))
    names = bench.task.attributes if config.regress == "attributes" else ()
    if config.regress == "attributes" and not names:
        raise NotApplicable(f"{bench.task.name} has no pairs about attributes; regress=overall reads the ratings alone")
    graded = config.loss in ("scaled", "margin")
    preferred = preference_rows(bench, pairs, graded=graded) if config.loss != "none" else []
    head, before = fresh_head(bench.base, seed=bench.seed, outputs=1 + len(names)), None
    if config.start == "regression":
        fitted = regression(config, bench, head, rated_rows(bench, pairs, names), judge)
        narrow_states(head.module, fitted.checkpoints.values())
        narrow(head.module)
        before = values(plain(head)) if config.alphas else None
    if config.loss != "none":
        fitted = preference(config, bench, head, preferred, judge)
    judge.choose(head, fitted)
    found = []
    if before is not None:
        head, choice = beyond(head, before, judge, config.alphas, pick=config.extrapolation is None)
        found.append(choice)
    if config.loss == "none":
        head.module.config.problem_type = "regression"  # which is on the scale of the ratings, not of logits
    scorer = RewardModel(head.module, bench.base.tokenizer, max_length=bench.max_length, adapter=head.adapter)
    return Products(scorer=scorer, findings=(*judge.findings(), *found))


def regression(config: Config, bench: Bench, head: Head, rows: Sequence[RatedRow], judge: Judge) -> Fitted:
    """The ratings, each by its output of the head."""

    def loss(rewards: Tensor, part: Sequence[RatedRow]) -> Tensor:
        ratings = rewards.new_tensor([row.rating / config.rating_scale for row in part])
        table = rewards.reshape(len(part), -1)
        outputs = rewards.new_tensor([row.output for row in part]).long()
        return rating_loss(table.gather(1, outputs[:, None])[:, 0], ratings)

    def read(part: Sequence[RatedRow]) -> list[Encoded]:
        return [row.encoded for row in part]

    settings = PolicyFit(
        learning_rate=config.regression_rate, epochs=config.regression_epochs, batch_size=config.batch_size,
        accumulate=config.accumulate, recompute=config.recompute, points=0 if config.both else config.points,
    )  # fmt: skip
    stage = Stage(name="regression", share=judge.leaves() * (REGRESSION if config.both else 1))
    return fit_on(bench, head, rows, read, loss, settings, stage=stage)


def preference(config: Config, bench: Bench, head: Head, rows: Sequence[PairRow], judge: Judge) -> Fitted:
    """Bradley-Terry, from where the head stands: its score layer is the regression's."""

    def loss(rewards: Tensor, part: Sequence[PairRow]) -> Tensor:
        chosen, rejected = rewards[: len(part)], rewards[len(part) :]
        strength = rewards.new_tensor([row.margin or 0.0 for row in part])
        return LOSSES[config.loss](chosen, rejected, strength)

    stage = Stage(name="preference", share=judge.leaves())
    return fit_on(bench, head, rows, sides, loss, config, stage=stage)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "scaled": lambda chosen, rejected, strength: scaled_bradley_terry_loss(chosen, rejected, strength=strength),
    "margin": lambda chosen, rejected, strength: bradley_terry_loss(chosen, rejected, margin=strength),
    "regular": lambda chosen, rejected, _: bradley_terry_loss(chosen, rejected),
}


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and base is not None
    return Products(scorer=RewardModel.load(directory / "scorer"))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="helpsteer2-preference",
        family="reward",
        kind="method",
        paper="arXiv:2410.01257",
        title="HelpSteer2-Preference: complementing ratings with preferences",
        claims=(
            Claim("reviews", "accuracy", "up", against="bradley-terry", smallest=0.0),
            Claim("reviews", "accuracy", "up", against="helpsteer2-preference:loss=none,regression_epochs=3",
                  smallest=0.005),
            Claim("reviews", "accuracy", "up", against="helpsteer2-preference:start=base", smallest=0.005),
            Claim("reviews", "accuracy", "up", against="helpsteer2-preference:start=base,loss=margin", smallest=0.0,
                  row="helpsteer2-preference:start=base"),
            Claim("reviews", "accuracy", "up", against="helpsteer2-preference:start=base,loss=regular", smallest=0.0,
                  row="helpsteer2-preference:start=base"),
        ),
        baselines=(
            "longer-wins",
            "bradley-terry",
            "helpsteer2-preference:loss=none,regression_epochs=3",
            "helpsteer2-preference:start=base",
            "helpsteer2-preference:start=base,loss=margin",
            "helpsteer2-preference:start=base,loss=regular",
            "helpsteer2-preference:extrapolation=0",
        ),
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 3e-4, "regression_rate": 1e-3, "batch_size": 8, "epochs": 3},
        differs=(
            "a model of about 1M parameters; ratings from 1 to 10 and strengths from the gap in utility",
            "what validation decides is decided on a tenth of the training prompts: more labels would be more feedback",
            "the learning rate falls linearly after its warm-up; in the paper it is constant",
            "attributes are learnt from pairs of their own, for which their ratings are given",
            "near ties that a file gives as 0 are dropped when it is read, also from the regression",
            "the pairwise justifier is the library's judge behind an endpoint, which asks both orders",
            "the reinforcement-learning half waits for that part of the library",
        ),
    ),
)  # fmt: skip
