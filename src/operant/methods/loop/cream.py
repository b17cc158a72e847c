"""CREAM (Wang et al. 2024): a model that ranks its own answers, and learns no more than two of its versions agree.

Rewarding oneself makes one's own noise into labels. The version of the round before ranks the same answers; how far the
two rankings agree is the probability that a label is right, and the loss is DPO on the label and on its opposite, mixed
by that probability. Nobody else judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.engine.logps import all_logps
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import require
from operant.loops.imitation import imitating_loss
from operant.loops.iterated_preference import Drawn, Iterated, Now, Preferring, iterated_preference
from operant.loops.student import Student
from operant.models.text import encode
from operant.objectives.soft_preference import soft_dpo_loss
from operant.rewards.endpoint_judge import EndpointJudge
from operant.rewards.own_judge import asking
from operant.schema import Bench, Finding, Pair, Products
from operant.stats import cell
from operant.stats.rank_agreement import Agreement, kendall, same_ends, spearman
from operant.training.budgeted import Stage
from operant.training.demonstrations import demonstration_rows
from operant.training.pairs import PairLogps, pass_flops
from operant.training.products import load_policy
from operant.training.track import note_pairs

AGREEMENTS: dict[str, Agreement] = {"kendall": kendall, "spearman": spearman, "ends": same_ends}
Rewards = list[float]  # of a prompt's answers


@dataclass(frozen=True, kw_only=True)
class Config(Iterated):
    consistency: Literal["avg", "dyn", "none", "annotator"] = "avg"  # of a round; of each prompt; 1: plain
    # self-rewarding; the share of labels that the task's annotator confirms
    agreement: Literal["kendall", "spearman", "ends"] = "kendall"  # of two rankings; ends: on the best and the worst
    beta: float = 0.1
    sft: float = 0.2  # share of the budget for imitating demonstrations first: the base ranks against what comes of it
    faster: float = 5.0  # learning rate of that over the rounds'
    reference: str = ""  # with sft=0: the model that the base was tuned from, a directory or a name
    judged: bool = False  # rank by grades that the model gives in words, not by its likelihoods
    temperature: float = 0.8
    batch_size: int = 4
    learning_rate: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(0 <= self.sft < 1, "sft", self.sft, "at least 0 and below 1, a share of the budget")
        require(self.faster > 0, "faster", self.faster, "above 0")
        told = "given exactly where sft=0: rewards are log-ratios to what the first model was tuned from"
        require((self.sft == 0) == bool(self.reference), "reference", self.reference, told)
        compared = self.agreement == "kendall" or self.consistency in ("avg", "dyn")
        require(compared, "agreement", self.agreement, f"left out with consistency={self.consistency}")


class Ranked(NamedTuple):
    """A prompt's answers as both versions reward them, and how far they agree on their order."""

    drawn: Drawn
    now: Rewards
    agreed: float


class Rankers:
    """Both versions' rewards of each round's answers, and the pairs that come of them."""

    def __init__(self, config: Config, bench: Bench):
        base: Any = bench.base
        self.config, self.bench = config, bench
        self.reference = LanguageModel.load(config.reference, loading_of(base)) if config.reference else base
        self.rounds: list[list[Ranked]] = []

    def __call__(self, now: Now) -> list[Pair]:
        """Best against worst by the version that drew, labelled by how far the version before agrees."""
        drawn = [one for one in now.drawn if len({str(answer.value) for answer in one.answers}) > 1]
        ours = self._rewards(now.student.policy, drawn, first=False)
        theirs = self._before(now, drawn)
        agree = AGREEMENTS[self.config.agreement]
        ranked = [
            Ranked(one, mine, agree(mine, other))
            for one, mine, other in zip(drawn, ours, theirs, strict=True)
            if mine is not None and other is not None and max(mine) > min(mine)
        ]
        self.rounds.append(ranked)
        return self._labelled([ends_of(one) for one in ranked], [one.agreed for one in ranked])

    def _before(self, now: Now, drawn: Sequence[Drawn]) -> list[Rewards | None]:
        """By the version of the round before; with models t0, t1, ... round t is drawn by t and judged by t - 1."""
        tuned = 0 if self.config.reference else 1  # fits before the first round
        if now.number == 0:
            return self._rewards(self.reference, drawn, first=True)
        with now.student.as_after(now.number - 1 + tuned) as before:
            return self._rewards(before, drawn, first=False)

    def _rewards(self, model: LanguageModel, drawn: Sequence[Drawn], *, first: bool) -> list[Rewards | None]:
        """Log-ratios of whole answers to the reference; `first`: of the reference itself, by token, for all are 0."""
        prompts = [one.prompt for one in drawn for _ in one.answers]
        answers = [answer for one in drawn for answer in one.answers]
        if self.config.judged:
            values = [score.value for score in EndpointJudge(asking(model)).score(prompts, answers)]
        else:
            rows, pad = encode(model.tokenizer, prompts, answers), model.tokenizer.pad_token_id
            ours = all_logps(model.module, rows, pad=pad)
            theirs = [()] * len(rows) if first else all_logps(self.reference.module, rows, pad=pad)
            values = [sum(a) / len(a) if first else sum(a) - sum(b) for a, b in zip(ours, theirs, strict=True)]
        left = iter(values)
        groups = [[next(left) for _ in one.answers] for one in drawn]
        return [None if None in own else [value for value in own if value is not None] for own in groups]

    def _labelled(self, pairs: list[Pair], agreed: list[float]) -> list[Pair]:
        """Pairs with the probability that each is the right way round."""
        if not pairs or self.config.consistency == "none":
            return pairs
        labels = agreed
        if self.config.consistency == "avg":
            labels = [sum(agreed) / len(agreed)] * len(pairs)
        if self.config.consistency == "annotator":
            both = [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]
            told = [win for win in self.bench.task.ask([pair.prompt for pair in pairs], *both) if win is not None]
            labels = [sum(told) / len(told) if told else 1.0] * len(pairs)
        return [replace(pair, margin=label) for pair, label in zip(pairs, labels, strict=True)]


def ends_of(one: Ranked) -> Pair:
    """The answer of most reward against that of least, the first of equals."""
    best, worst = one.now.index(max(one.now)), one.now.index(min(one.now))
    return Pair(prompt=one.drawn.prompt, chosen=one.drawn.answers[best], rejected=one.drawn.answers[worst])


def run(config: Config, bench: Bench) -> Products:
    student, pad = Student(bench), bench.base.tokenizer.pad_token_id
    if config.sft:
        settings = replace(config, learning_rate=config.learning_rate * config.faster, epochs=None)
        stage = Stage(name="sft", share=config.sft)
        student.fit(demonstration_rows(bench), imitating_loss(pad=pad), settings, pass_flops, stage=stage)
    rankers = Rankers(config, bench)

    def loss(logps: PairLogps, labels: Tensor) -> Tensor:
        note_pairs(logps.chosen, logps.rejected, beta=config.beta)
        return soft_dpo_loss(logps.chosen, logps.rejected, labels, beta=config.beta)

    reads = 40 if config.judged else 5  # both versions, the reference twice, and where a fit starts from
    labels = 1 if config.consistency == "annotator" else 0
    iterated_preference(
        bench, Preferring(pairs=rankers, loss=loss, reads=reads, labels=labels), config, student=student
    )
    return Products(generator=student.finished(), findings=tuple(found_in(rankers.rounds)))


def found_in(rounds: Sequence[Sequence[Ranked]]) -> list[Finding]:
    """Of each round: how far both versions agreed, and how much of a reward is length."""
    found = []
    for number, ranked in enumerate(rounds, 1):
        agreed = np.array([one.agreed for one in ranked])
        if len(agreed) < 2:
            continue
        seen = cell(agreed)
        assert seen.low is not None and seen.high is not None
        name = f"round {number}: consistency"
        found.append(Finding(name=name, effect=float(agreed.mean()), low=seen.low, high=seen.high))
        spread = f"round {number}: spread of consistency, with its least and most"
        found.append(
            Finding(name=spread, effect=float(agreed.std()), low=float(agreed.min()), high=float(agreed.max()))
        )
        longer = np.array([length_correlation(one) for one in ranked])
        told = cell(longer[~np.isnan(longer)])
        if told.mean is not None and told.low is not None and told.high is not None:
            name = f"round {number}: correlation of reward and length"
            found.append(Finding(name=name, effect=told.mean, low=told.low, high=told.high))
    return found


def length_correlation(one: Ranked) -> float:
    """Of the rewards of a prompt's answers with their tokens; NaN where all are as long."""
    lengths = np.array([len(answer.tokens or ()) for answer in one.drawn.answers], dtype=float)
    return float(np.corrcoef(one.now, lengths)[0, 1]) if lengths.std() > 0 else float("nan")


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="cream",
        family="loop",
        kind="method",
        paper="arXiv:2410.12735",
        title="CREAM: consistency regularized self-rewarding language models",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="cream:consistency=none", smallest=0.0),
        ),
        baselines=(
            "base",
            "sft",
            "cream:consistency=none",
            "cream:consistency=dyn",
            "cream:consistency=annotator",
        ),
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 1e-4, "faster": 10.0, "batch_size": 8, "epochs": 3},
        differs=(
            "one model of about 1M parameters; what it imitates first are the feedback's chosen answers",
            "small models read a round's pairs three times, not once: there is one for each prompt",
            "the pool of prompts is parted among the rounds, and as many of each part are asked as the budget pays for",
            "equal values rank in their order; `ends` compares the best and the worst answer, as the paper defines it",
            "the learning rate decays linearly, without weight decay (0.01 in the paper)",
            "grades in words go from 1 to 10, not from 0 to 5",
        ),
    ),
)
