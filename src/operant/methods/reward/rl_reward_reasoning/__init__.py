"""Rewards of reasoning steps that a policy cannot farm (Gao et al. 2024): clipped, and each less the next.

With a verifier at hand a process reward model adds a reward for every step; added as it is, it pays for useless steps,
the more of them the better. Clipping makes good steps worth nothing and bad ones a penalty; the difference to the next
step makes the sum hang on no number of steps. Here the model is fitted to steps, and the policy learns by PPO.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from operant.card import Card, Claim, Method
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import OperantError, require
from operant.loops.policy_gradient import policy_gradient
from operant.loops.rounds import RoundFit
from operant.loops.step_labels import Solution, solutions, step_values
from operant.loops.told import quarters
from operant.methods.reward.rl_reward_reasoning.learning import Learning
from operant.methods.reward.rl_reward_reasoning.shaping import CLIPPED, Shaping
from operant.models.steps import STEP_END, separator
from operant.rewards.process import ProcessReward
from operant.schema import Bench, Policy, Products
from operant.training.budgeted import Fit, Stage
from operant.training.steps import StepRow, fit_steps, given_steps

Labels = Literal["soft", "hard", "given"]
SOLUTIONS = 4  # of the base to each prompt
QUANTILE = 0.25  # of the base's step scores: most of its steps are good enough
TOLD = {"success": "share of right answers", "steps": "steps an answer", "repeated": "share of repeated steps",
        "process": "process score of a step", "shaped": "sum of process rewards of an answer"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config(RoundFit):
    shaping: Shaping = "clip_delta"  # what is made of step scores; orm: the whole answer's score; none: success alone
    alpha: float = 0.1  # of process rewards, beside a success of 1
    threshold: float | None = None  # clip: a good step's score; None: the lowest quarter of the base's steps
    labels: Labels = "soft"  # of steps: the share of completions that come right, whether any does, or the feedback's
    completions: int = 8  # of every step (labels=soft or hard)
    prm: str = ""  # directory of a token classifier to take instead of fitting one
    prm_share: float = 0.3  # of the budget, for labels and fit
    prm_learning_rate: float = 1e-5
    prm_epochs: float = 2
    prompts: int = 64  # training prompts whose base answers are judged, four each: for labels and threshold
    baseline: Literal["critic", "group"] = "critic"  # what was to be expected: a critic's word, or other answers'
    kl: float = 0.01  # of log pi / ref in each token's reward
    clip: float = 0.2
    step_end: str = STEP_END  # regular expression
    learning_rate: float = 1e-6
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require(min(self.alpha, self.kl) >= 0, "alpha or kl", (self.alpha, self.kl), "0 or more")
        require(0 < self.prm_share < 1, "prm_share", self.prm_share, "between 0 and 1")
        require(self.threshold is None or 0 <= self.threshold <= 1, "threshold", self.threshold, "between 0 and 1")
        require(0 < self.clip < 1, "clip", self.clip, "between 0 and 1")
        require(self.completions >= 1 and self.prompts >= 1, "completions and prompts",
                (self.completions, self.prompts), "at least 1")  # fmt: skip
        separator(self.step_end)
        self._refuse_what_is_not_read()

    def _refuse_what_is_not_read(self) -> None:
        unused = dict.fromkeys(("alpha", "prm", "prompts"), "shaping=none") if self.shaping == "none" else {}
        if self.shaping in ("none", "orm") or self.labels == "given" or self.prm:
            unused["completions"] = "shaping=none or orm, labels=given, or prm="
        if self.shaping not in CLIPPED:
            unused["threshold"] = f"shaping={self.shaping}"
        for name, why in unused.items():
            got = getattr(self, name)
            require(got == type(self).__dataclass_fields__[name].default, name, got, f"left out with {why}")


def run(config: Config, bench: Bench) -> Products:
    scorer = None if config.shaping == "none" else judge_of_steps(config, bench)
    threshold = threshold_of(config, bench, scorer) if scorer and config.shaping in CLIPPED else 0.0
    learning = Learning(config, bench, scorer, threshold=threshold)
    stage = Stage(name="rounds", beside=learning.beside)
    learner = policy_gradient(bench, learning.recipe(), config, stage=stage)
    return Products(generator=learner.policy, scorer=scorer, findings=tuple(quarters(learner.rounds, TOLD)))


def judge_of_steps(config: Config, bench: Bench) -> ProcessReward:
    """The process reward model that is given, or one that is fitted to steps of the feedback or of the base."""
    if config.prm:
        return ProcessReward.load(Path(config.prm), max_length=bench.max_length, step_end=config.step_end)
    rows = labelled(config, bench)
    share = config.prm_share if config.labels == "given" else config.prm_share / 2
    settings = Fit(learning_rate=config.prm_learning_rate, epochs=config.prm_epochs, recompute=config.recompute)
    head = fit_steps(bench, rows, settings, stage=Stage(name="process", share=share))
    base: Any = bench.base
    return ProcessReward(
        head.module, base.tokenizer, max_length=bench.max_length, step_end=config.step_end, adapter=head.adapter
    )  # fmt: skip


def labelled(config: Config, bench: Bench) -> list[StepRow]:
    """Steps and how right they are; of an outcome reward model only the last of each answer."""
    whole = config.shaping == "orm"
    if config.labels == "given":
        rows = given_steps(bench, step_end=config.step_end)
        return [StepRow(one.steps._replace(at=one.steps.at[-1:]), one.labels[-1:]) for one in rows] if whole else rows
    return step_values(
        bench, sampled(config, bench), kind=config.labels, n=config.completions, max_tokens=config.max_tokens,
        share=config.prm_share / 2, whole=whole,
    )  # fmt: skip


def sampled(config: Config, bench: Bench) -> list[Solution]:
    """A few of the base's own answers to training prompts."""
    prompts = bench.task.prompts("train")[: config.prompts]
    found = solutions(bench, prompts, n=SOLUTIONS, max_tokens=config.max_tokens, step_end=config.step_end)
    if not found:
        raise OperantError(f"none of the base's answers to {len(prompts)} prompts leaves room in max-length; raise it")
    return found


def threshold_of(config: Config, bench: Bench, scorer: ProcessReward) -> float:
    """The score from which a step is good: the one set, or the lowest quarter of the base's own steps."""
    if config.threshold is not None:
        return config.threshold
    solved = sampled(config, bench)
    steps = scorer.steps([one.prompt for one in solved], [one.answer for one in solved])
    return float(torch.tensor([value for own in steps for value in own]).quantile(QUANTILE))


def load(config: Config, directory: Path, base: Policy) -> Products:
    scorer = None if config.shaping == "none" else ProcessReward.load(directory / "scorer")
    return Products(generator=LanguageModel.load(directory / "generator", loading_of(base)), scorer=scorer)


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="rl-reward-reasoning",
        family="reward",
        kind="method",
        paper="arXiv:2410.15115",
        title="On designing effective RL reward at training time for LLM reasoning",
        claims=(
            Claim("arithmetic", "accuracy", "up", against="base", smallest=0.05),
            Claim("arithmetic", "accuracy", "up", against="rl-reward-reasoning:shaping=raw", smallest=0.0),
            Claim("arithmetic", "filler", "down", against="rl-reward-reasoning:shaping=raw", smallest=0.05),
        ),
        baselines=(
            "base",
            "sft",
            "rl-reward-reasoning:shaping=none",
            "rl-reward-reasoning:shaping=raw",
            "rl-reward-reasoning:shaping=orm",
        ),
        task="arithmetic",
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 3e-5, "batch_size": 8, "baseline": "group", "labels": "given", "prm_learning_rate": 3e-4,
              "kl": 0.0},
        differs=(
            "one model of about 1M parameters, whose process reward model is one of as many, fitted to the step labels "
            "of arithmetic; the paper fits it to completions of the policy's own prefixes (labels=soft)",
            "the coefficient of process rewards and the threshold are not in the paper; 0.1 and a quantile are ours",
            "the last step has no process reward whatever is made of the others, so that a solution of one step is "
            "paid for its success alone",
            "an answer that was cut is wrong, and one that nobody could verify is left out",
            "the base of arithmetic never writes useless steps by itself, so that a policy has to find them",
            "on small models answers to the same prompt are the baseline, instead of a critic that learns slowly there",
            "a process reward model is a Hugging Face token classifier; one behind an endpoint is not read",
        ),
    ),
)  # fmt: skip
