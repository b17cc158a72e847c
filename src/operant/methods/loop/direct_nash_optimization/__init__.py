"""Direct Nash optimisation (Rosset et al. 2024): a policy that plays against itself, judged by a general preference.

A preference need not come from a reward: it may go round in circles. What an answer is worth is then how often it beats
the policy's own answers, and each round is a regression of the policy's log-ratios onto those win rates. The practical
form keeps only pairs with a large margin, has a teacher's answers among the candidates, and is DPO whose reference is
the policy as it was when the round began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from operant.card import Card, Claim, Method
from operant.decoding.mixture import Mixture
from operant.engine.body import read_flops, size_of
from operant.engine.policy import LanguageModel, loading_of
from operant.engine.rollouts import Asked, rollout_flops
from operant.errors import OperantError, offered, require
from operant.loops.iterated_preference import Iterated, Learnt, Now, Preferring, iterated_preference
from operant.loops.student import Student
from operant.methods.loop.direct_nash_optimization.pairing import (
    Judged,
    Margins,
    chosen_pairs,
    regressed_pairs,
    replayed,
)
from operant.models.endpoint.asking import asker
from operant.models.endpoint.client import Client
from operant.models.text import Encoded, encode_prompt
from operant.models.weights import load_weights
from operant.objectives.soft_preference import soft_dpo_loss
from operant.rewards.python import FunctionScorer
from operant.rewards.side_by_side import SideBySide
from operant.rewards.win_rates import GroupJudge, by_comparing, by_grading, by_scoring
from operant.schema import Answer, Bench, Decoding, Finding, Pair, Policy, Products, Prompt
from operant.stats import clopper_pearson
from operant.training.pairs import PairLogps
from operant.training.track import note_pairs

VALID = 32  # validation prompts on which the best round is chosen
JUDGES = "annotator, proxy, judge:MODEL@URL or module:name"
OF_PAIRS = ("rule", "alpha", "good", "ahead", "own", "replay", "teacher")  # settings that a regression does not read


@dataclass(frozen=True, kw_only=True)
class Config(Iterated):
    objective: Literal["pairs", "regression"] = "pairs"  # sure labels of chosen pairs; or win rates, as in algorithm 1
    rule: Literal["margin", "restrictive", "teacher"] = "margin"  # who may be positive: by points; only the teacher
    judge: str = "annotator"  # the task's; proxy; judge:MODEL@URL, side by side; module:name, 0 to 6 points each
    teacher: bool = True  # answers of the column `gold`, or the feedback's chosen ones, are among the candidates
    beta: float = 0.1  # the paper's eta: multiplies log-ratios
    alpha: float = 0.005  # weight of the negative log-likelihood of positives, nats per answer
    good: float = 5.0  # points of a positive, of 6
    ahead: float = 2.0  # points by which a teacher's answer has to lead
    own: float = 1.0  # the same for an answer of the policy
    replay: float = 0.3  # share of the last round's pairs that are learnt from again; halved for each round before
    reference: Literal["current", "base"] = "current"  # base: an ablation, in which it is never refreshed
    returns: Literal["best", "last", "mixture"] = "best"  # of the rounds: by win rate on validation prompts; or all
    temperature: float = 0.7
    later: float = 0.5
    batch_size: int = 64
    learning_rate: float = 5e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(self.alpha >= 0, "alpha", self.alpha, "0 or more")
        require(min(self.ahead, self.own) > 0, "ahead or own", (self.ahead, self.own), "above 0 points")
        require(0 <= self.replay < 1, "replay", self.replay, "at least 0 and below 1, a share of a round's pairs")
        require(
            re.fullmatch(r"annotator|proxy|judge:.+@https?://.+|[\w.]+:\w+", self.judge), "judge", self.judge, JUDGES
        )
        require(self.teacher or self.rule == "margin", "teacher", self.teacher, f"left out with rule={self.rule}")
        if self.objective == "regression":
            for one in (one for one in fields(Config) if one.name in OF_PAIRS):
                got = getattr(self, one.name)
                require(got == one.default, one.name, got, "left out with objective=regression")

    @property
    def margins(self) -> Margins:
        return Margins(self.good, self.ahead, self.own)


def judge_of(config: Config, bench: Bench) -> GroupJudge:
    """Who says which answer is better."""
    if config.judge == "annotator":
        return by_comparing(bench.task.ask)
    if config.judge == "proxy":
        return by_scoring(bench.proxy)
    behind = re.fullmatch(r"judge:(.+)@(https?://.+)", config.judge)
    if behind:
        return by_grading(SideBySide(asker(Client(behind[2], behind[1], cache=bench.dir / "judge"))))
    scorer = FunctionScorer(config.judge)

    def grade(prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> list[list[float] | None]:
        told = [scorer.score([prompt] * len(many), many) for prompt, many in zip(prompts, answers, strict=True)]
        values = [[score.value for score in many] for many in told]
        return [None if None in own else [value for value in own if value is not None] for own in values]

    return by_grading(grade)


def teachers(config: Config, bench: Bench) -> dict[str, Answer]:
    """An answer to imitate for each prompt that has one: its column `gold`, else what the feedback chose."""
    if not config.teacher or config.objective == "regression":
        return {}
    prompts = bench.task.prompts("train")
    found = {one.id: Answer(value=str(one.columns["gold"])) for one in prompts if one.columns.get("gold")}
    if found:
        return found
    return {pair.prompt.id: pair.chosen for pair in reversed(offered(lambda: bench.task.pairs("train")))}


class Pairing:
    """Judges each round's answers and remembers earlier rounds."""

    def __init__(self, config: Config, bench: Bench):
        self.config, self.bench = config, bench
        self.judge, self.teachers = judge_of(config, bench), teachers(config, bench)
        self.rounds: list[list[Pair]] = []
        self.lessons: list[tuple[int, int]] = []  # of each round: new pairs that the teacher wins; new pairs

    def __call__(self, now: Now) -> list[Pair]:
        """The round's own pairs, and some of those before."""
        pools = [(one.prompt, *self._pool(one.prompt, one.answers)) for one in now.drawn]
        pools = [pool for pool in pools if len(pool[1]) > 1]
        standings = self.judge([prompt for prompt, _, _ in pools], [answers for _, answers, _ in pools])
        judged = [
            Judged(prompt, answers, standing, teacher)
            for (prompt, answers, teacher), standing in zip(pools, standings, strict=True)
            if standing is not None
        ]
        if self.config.objective == "regression":
            return regressed_pairs(judged)
        own = chosen_pairs(judged, self.config.margins, self.config.rule)
        taught = sum(pair.chosen is self.teachers.get(pair.prompt.id) for pair in own)
        again = replayed(self.rounds, self.config.replay, seed=self.bench.seed) if own else []
        self.rounds.append(own)
        self.lessons.append((taught, len(own)))
        return own + again

    def _pool(self, prompt: Prompt, answers: Sequence[Answer]) -> tuple[tuple[Answer, ...], int | None]:
        """Answers with the teacher's behind them, and where that is."""
        teacher = self.teachers.get(prompt.id)
        return (tuple(answers), None) if teacher is None else ((*answers, teacher), len(answers))


def loss_of(config: Config, logps: PairLogps, labels: Tensor) -> Tensor:
    """[pairs] the regression; with sure labels DPO, and a little likelihood of the positives beside it."""
    note_pairs(logps.chosen, logps.rejected, beta=config.beta)
    loss = soft_dpo_loss(logps.chosen, logps.rejected, labels, beta=config.beta)
    return loss - config.alpha * logps.baseline if config.objective == "pairs" else loss


def run(config: Config, bench: Bench) -> Products:
    pairing = Pairing(config, bench)
    candidates = config.samples + (1 if pairing.teachers else 0)
    chooses = config.returns == "best" and config.rounds > 1
    base: Any = bench.base
    recipe = Preferring(
        pairs=pairing, loss=lambda logps, labels: loss_of(config, logps, labels),
        reads=2 if config.judge == "proxy" else 1,
        labels=candidates * (candidates - 1) // 2 if config.judge == "annotator" else 0,
        reference=(lambda student: student.policy) if config.reference == "current" else lambda _: base,
        reserve=choosing_flops(config, bench) if chooses else 0.0,
        reserve_labels=VALID * config.rounds * (config.rounds - 1) // 2 if chooses else 0,
    )  # fmt: skip
    learnt = iterated_preference(bench, recipe, config)
    return Products(generator=returned(config, bench, learnt, pairing.judge), findings=tuple(lessons(pairing.lessons)))


def returned(config: Config, bench: Bench, learnt: Learnt, judge: GroupJudge) -> Any:
    """The policy of the last round, of the best one, or all of them as one."""
    student = learnt.student
    if config.returns == "mixture":
        if student.policy.adapter is not None:
            raise OperantError(
                "a mixture keeps the whole weights of every round; leave --lora out, or take returns=last"
            )
        return Mixture([student.after(fits) for fits in range(1, len(student.ends) + 1)])
    if config.returns == "best" and len(student.ends) > 1:
        best = best_round(config, bench, student, judge)
        load_weights(student.policy.module, list(student.ends.values())[best])
    return student.finished()


def best_round(config: Config, bench: Bench, student: Student, judge: GroupJudge) -> int:
    """The round whose answers to validation prompts win most often against those of the others; the first of equals."""
    prompts = bench.task.prompts("valid")[:VALID]
    decoding = Decoding(max_tokens=config.max_tokens)
    drawn = []
    for fits in range(1, len(student.ends) + 1):
        with student.as_after(fits) as policy:
            drawn.append(policy.answer(prompts, n=1, decoding=decoding, seed=bench.seed))
    groups = [[own[place][0] for own in drawn] for place in range(len(prompts))]
    wins = [one.wins for one in judge(prompts, groups) if one is not None]
    totals = [sum(own[place] for own in wins) for place in range(len(drawn))]
    return totals.index(max(totals))


def choosing_flops(config: Config, bench: Bench) -> float:
    """The most that `best_round` may take."""
    base: Any = bench.base
    asked = [Asked(one, encode_prompt(base.tokenizer, one)) for one in bench.task.prompts("valid")[:VALID]]
    rows = [Encoded(one.ids, (0,) * config.max_tokens) for one in asked]
    reads = 2 if config.judge == "proxy" else 0
    each = rollout_flops(base.module, asked, n=1, max_tokens=config.max_tokens)
    return config.rounds * (each + reads * read_flops(base.module, size_of(base.module, rows)))


def lessons(rounds: Sequence[tuple[int, int]]) -> list[Finding]:
    """Who is learnt from: the teacher less and less, where the policy gets better."""
    found = []
    for number, (taught, pairs) in enumerate(rounds):
        if pairs:
            low, high = clopper_pearson(taught, pairs)
            name = f"round {number + 1}: share of new pairs that the teacher wins"
            found.append(Finding(name=name, effect=taught / pairs, low=low, high=high))
    return found


def load(config: Config, directory: Path, base: Policy) -> Products:
    where, loading = directory / "generator", loading_of(base)
    if config.returns == "mixture":
        return Products(generator=Mixture.load(where, loading))
    return Products(generator=LanguageModel.load(where, loading))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="direct-nash-optimization",
        family="loop",
        kind="method",
        paper="arXiv:2404.03715",
        title="Direct Nash optimization: teaching language models to self-improve with general preferences",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="dpo", smallest=0.0),
            Claim("reviews", "quality", "up", against="direct-nash-optimization:reference=base", smallest=0.0),
            Claim("reviews", "quality", "up", against="direct-nash-optimization:ahead=1,good=1", smallest=0.0),
        ),
        baselines=(
            "base",
            "sft",
            "dpo",
            "direct-nash-optimization:reference=base",
            "direct-nash-optimization:ahead=1,good=1",
            "direct-nash-optimization:rule=restrictive",
            "direct-nash-optimization:rule=teacher",
            "direct-nash-optimization:objective=regression",
        ),
        needs=("bradley-terry",),
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 1e-4, "batch_size": 8},
        differs=(
            "one model of about 1M parameters; the teacher is what the feedback chose, not GPT-4-Turbo",
            "the task's annotators compare two answers at a time; a judge behind an endpoint grades all side by side. "
            "Points of a judge who compares are 6 times the share of wins, in whole numbers; ties count half",
            "the pool of prompts is parted among the rounds, each asked once, and as many of them are asked as the "
            "budget pays for",
            "the learning rate halves from round to round (the paper lowers it, and does not say how), and decays "
            "linearly within one",
            "alpha is read as the weight of the negative log-likelihood of positives, summed over their tokens",
            "an answer is defective where more than half of its 4-grams stood in it before",
            "in a regression the answers of a prompt stand for the policy: each is compared with the others",
        ),
    ),
)
