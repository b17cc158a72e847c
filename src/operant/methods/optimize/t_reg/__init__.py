"""T-REG (Zhou et al. 2024): DPO that is told how to spread an answer's reward over its tokens.

DPO implies a reward for every token. A regulariser holds these against rewards that a frozen model gives by itself: the
same answer is read behind a prompt that asks for a better one and behind one that asks for a worse one. It weighs as
much as DPO still pulls at the pair, so it stops when DPO does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.engine.logps import AnswerLogps, item_values
from operant.errors import require
from operant.methods.optimize.t_reg.rewards import (
    Rated,
    are_given,
    by_feedback,
    by_imitation,
    by_revision,
    paired_rows,
    shuffled,
)
from operant.objectives.preference import dpo_loss
from operant.schema import Bench, Finding, Products
from operant.stats import cell
from operant.training.budgeted import PolicyFit, fit_policy
from operant.training.pairs import pair_cost, with_reference
from operant.training.products import load_policy
from operant.training.track import note, note_pairs

SHARE = 0.3  # of the budget, for an evaluator that is trained
FASTER = 10.0  # its learning rate over the policy's: it imitates, which takes larger steps than preferences do


@dataclass(frozen=True, kw_only=True)
class Config(PolicyFit):
    beta: float = 0.01
    alpha: float = 0.25  # weight of the regulariser; searched in 0.1, 0.25, 0.5
    loss: Literal["dpo", "simpo"] = "dpo"  # simpo: no reference, everything per token
    gamma: float | None = None  # SimPO's margin, in units of reward; None: half of beta
    evaluator: Literal["revision", "imitation"] = "revision"  # the base, asked to revise; or two copies, tuned
    share: float = SHARE  # of the budget, for tuning those two
    weight: Literal["dpo", "one"] = "dpo"  # ablation: the regulariser never stops pulling
    rewards: Literal["own", "shuffled"] = "own"  # ablation: on other tokens of the same answer
    learning_rate: float = 5e-7

    def __post_init__(self) -> None:
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(self.alpha >= 0, "alpha", self.alpha, "0 or more")
        require(self.gamma is None or self.loss == "simpo", "gamma", self.gamma, "left out with loss=dpo")
        require(0 < self.share < 1, "share", self.share, "between 0 and 1")
        trained = self.share == SHARE or self.evaluator == "imitation"
        require(trained, "share", self.share, "left out with evaluator=revision, which trains nothing")

    @property
    def margin(self) -> float:
        """By how much the chosen answer has to win."""
        return 0.0 if self.loss == "dpo" else self.beta / 2 if self.gamma is None else self.gamma


def regularised_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    agreement: Float[Tensor, " pairs"],
    *,
    alpha: float,
    margin: float,
    stops: bool,
) -> Float[Tensor, " pairs"]:
    """DPO or SimPO, less how well the policy's token rewards go with the given ones.

    -log sigmoid(m) - alpha * w * agreement, m = chosen - rejected - margin, w = sigmoid(-m) without gradient

    Args:
        chosen: the implied reward of the answer that won. DPO: beta (log pi - log ref); SimPO: beta / |y| log pi.
        rejected: the same for the answer that lost.
        agreement: sum over the tokens of both answers of given reward times beta log pi(y_t) (SimPO: / |y|).
        alpha: >= 0; 0 is DPO or SimPO. margin: SimPO's gamma. stops: False sets w to 1.
    Returns: nats per pair; below 0 where the regulariser is. Its value says nothing, its gradient does: that of DPO
        with token weights 1 + alpha r on the chosen answer and 1 - alpha r on the rejected one.
    Source: Zhou et al. 2024, T-REG, arXiv:2412.02685.
    """
    gap = chosen - rejected - margin
    weight = torch.sigmoid(-gap).detach() if stops else torch.ones_like(gap)
    return dpo_loss(gap, torch.zeros_like(gap), beta=1.0) - alpha * weight * agreement


def pair_values(part: Sequence[Rated], found: AnswerLogps, config: Config) -> Tensor:
    """[pairs] from the log-probabilities of both answers of each pair, in turn."""
    sums, tokens = found.sums, found.mask.sum(1)
    worth = torch.zeros_like(found.logps)
    for place, rewards in enumerate(rewards for one in part for rewards in (one.chosen, one.rejected)):
        worth[place, : len(rewards)] = sums.new_tensor(rewards)
    agreement = config.beta * (worth * found.logps).sum(1)
    if config.loss == "simpo":
        reward, agreement = config.beta * sums / tokens, agreement / tokens
    else:
        reference = [[one.row.chosen_reference, one.row.rejected_reference] for one in part]
        reward = config.beta * (sums - sums.new_tensor(reference).flatten())
    note_pairs(reward[::2], reward[1::2], beta=1.0)
    note({"token rewards/agreement": agreement})
    return regularised_loss(
        reward[::2], reward[1::2], agreement[::2] + agreement[1::2], alpha=config.alpha, margin=config.margin,
        stops=config.weight == "dpo",
    )  # fmt: skip


def run(config: Config, bench: Bench) -> Products:
    items = rated_pairs(config, bench)
    pad = bench.base.tokenizer.pad_token_id

    def loss(module: Any, part: Sequence[Rated], whole: Sequence[Rated]) -> Tensor:
        assert whole

        def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
            return pair_values([part[place] for place in places], found, config)

        return item_values(module, [[one.row.chosen, one.row.rejected] for one in part], of, pad=pad)

    def cost(module: Any, part: Sequence[Rated]) -> float:
        return pair_cost(module, [one.row for one in part])

    return Products(generator=fit_policy(bench, items, loss, config, cost), findings=(size_of_rewards(items),))


def rated_pairs(config: Config, bench: Bench) -> list[Rated]:
    """Pairs with their token rewards, which are computed once, and with what the reference says, where it is asked."""
    pairs = bench.task.pairs("train")
    kept = paired_rows(bench.base.tokenizer, pairs, max_length=bench.max_length)
    if are_given(pairs):
        rated = by_feedback(kept)
    elif config.evaluator == "revision":
        rated = by_revision(bench.base, kept)
    else:
        settings = replace(config, learning_rate=FASTER * config.learning_rate, points=0, epochs=None)
        rated = by_imitation(bench, kept, settings, config.share)
    if config.rewards == "shuffled":
        rated = shuffled(rated, seed=bench.seed)
    if config.loss == "simpo":
        return rated
    rows = with_reference([one.row for one in rated], bench.base)
    return [one._replace(row=row) for one, row in zip(rated, rows, strict=True)]


def size_of_rewards(items: Sequence[Rated]) -> Finding:
    """An evaluator whose rewards are about 0 everywhere says nothing."""
    each = torch.tensor([value for one in items for value in (*one.chosen, *one.rejected)]).abs()
    seen = cell(each.double().numpy())
    name = "mean size of token rewards (below 0.02 the evaluator says nothing)"
    return Finding(name=name, effect=seen.mean or 0.0, low=seen.low or 0.0, high=seen.high or 0.0)


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="t-reg",
        family="optimize",
        kind="method",
        paper="arXiv:2412.02685",
        title="T-REG: preference optimization with token-level reward regularization",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="dpo", smallest=0.0),
            Claim("reviews", "quality", "up", against="t-reg:rewards=shuffled", smallest=0.0),
        ),
        baselines=("base", "dpo", "t-reg:rewards=shuffled", "t-reg:weight=one"),
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 1e-4, "beta": 0.1, "evaluator": "imitation"},
        differs=(
            "one model of about 1M parameters, which follows no instructions: two copies of it evaluate, tuned on "
            "chosen and on rejected answers for a share of the budget. One copy with two new tokens in the prompt, "
            "tried first on 400 pairs, gave rewards of 0.0003",
            "pairs are the feedback's, not best and worst of 5 samples of the reference",
            "the words of the revision prompts are our own",
            "the learning rate decays linearly",
        ),
    ),
)
