"""Regularised preference optimisation (Liu et al. 2024): DPO plus imitation of a baseline policy.

The imitation term is what remains of an adversary that picks the worst reward still fitting the data: it holds the
policy to answers that the data cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from operant.card import Card, Claim, Method
from operant.errors import NotApplicable, UnknownName, require
from operant.objectives.preference import rpo_loss
from operant.schema import Bench, Pair, Products
from operant.training.pairs import (
    Fit,
    PairLogps,
    PairRow,
    fit_policy,
    pair_flops,
    pair_logps,
    pair_rows,
    with_reference,
)  # fmt: skip
from operant.training.products import load_policy

REDUCTIONS = ("answer_sum", "answer_mean", "batch_mean")
BASELINES = ("chosen", "dataset", "sampled")


@dataclass(frozen=True, kw_only=True)
class Config:
    beta: float = 0.01  # arXiv:2405.16436, sec. 6: zephyr-7b-gemma run
    sft_weight: float = 0.005  # the whole coefficient before the negative log-likelihood: eta times beta
    sft_reduction: Literal["answer_sum", "answer_mean", "batch_mean"] = "answer_sum"
    baseline: Literal["chosen", "dataset", "sampled"] = "chosen"  # whose answers are imitated
    learning_rate: float = 5e-7
    batch_size: int = 8
    accumulate: int = 1
    epochs: float | None = None  # at most; None: as many as the budget pays for
    points: int = 3

    def __post_init__(self) -> None:
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(self.sft_weight >= 0, "sft_weight", self.sft_weight, "0 or more")
        if self.sft_reduction not in REDUCTIONS:
            raise UnknownName("sft_reduction", self.sft_reduction, REDUCTIONS)
        if self.baseline not in BASELINES:
            raise UnknownName("baseline", self.baseline, BASELINES)

    def fit(self) -> Fit:
        return Fit(
            learning_rate=self.learning_rate, batch_size=self.batch_size, accumulate=self.accumulate,
            epochs=self.epochs, points=self.points,
        )  # fmt: skip


def imitated(pairs: Sequence[Pair], bench: Bench, baseline: str) -> list[Pair]:
    """The pairs with the answer that is imitated filled in: the chosen one, the data's own, or one base sample."""
    if baseline == "chosen":
        return [replace(pair, baseline=None) for pair in pairs]
    if baseline == "sampled":
        pools = bench.pool([pair.prompt for pair in pairs], 1)
        sampled = [replace(pair, baseline=pool[0]) for pair, pool in zip(pairs, pools, strict=True)]
        return [pair for pair in sampled if pair.baseline and pair.baseline.tokens]
    missing = sum(pair.baseline is None or not str(pair.baseline.value) for pair in pairs)
    if missing:
        raise NotApplicable(f"baseline=dataset: {missing} of {len(pairs)} pairs have no `baseline` answer")
    return list(pairs)


def imitation(logps: PairLogps, reduction: str, *, whole: Sequence[PairRow]) -> Tensor:
    """[pairs] negative log-likelihood of the imitated answers, nats, reduced over tokens as named.

    answer_sum is the paper's objective, answer_mean Pang et al.'s scale, batch_mean the tokens of the whole
    accumulated batch as one (TRL's).
    """
    if reduction == "answer_sum":
        return -logps.baseline
    if reduction == "answer_mean":
        return -logps.baseline / logps.baseline_tokens
    return -logps.baseline * len(whole) / sum(len(row.baseline.answer) for row in whole)


def run(config: Config, bench: Bench) -> Products:
    tokenizer = bench.base.tokenizer
    pairs = imitated(bench.task.pairs("train"), bench, config.baseline)
    rows = with_reference(pair_rows(tokenizer, pairs, max_length=bench.max_length), bench.base)

    def loss(module: Any, part: Sequence[PairRow], whole: Sequence[PairRow]) -> Tensor:
        logps = pair_logps(module, part, pad=tokenizer.pad_token_id)
        likelihood = imitation(logps, config.sft_reduction, whole=whole)
        return rpo_loss(logps.chosen, logps.rejected, likelihood, beta=config.beta, weight=config.sft_weight)

    flops = pair_flops(bench.base.module, rows, batch_size=config.batch_size)
    policy, _ = fit_policy(bench, rows, loss, config.fit(), flops_per_item=flops)
    return Products(generator=policy)


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="regularized-preference-optimization",
        family="optimize",
        kind="method",
        paper="arXiv:2405.16436",
        title="Provably mitigating overoptimization in RLHF: your SFT loss is implicitly an adversarial regularizer",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="dpo", smallest=0.0),
        ),
        baselines=("base", "sft", "dpo"),
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 3e-4, "beta": 0.1, "sft_weight": 0.05},
        differs=(
            "one model of about 1M parameters",
            "beta and the weight of the imitation term are tuned to that size",
        ),
    ),
)
