"""Reward model ensembles (Eisenstein et al. 2023): they mitigate reward hacking and do not eliminate it.

Reward models that are equally accurate on held-out pairs disagree on the answers that optimisation finds. An ensemble
helps, more so where its members differ in their pretraining; what all members share, none of them can correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.decoding.best_of import BestOf
from operant.engine.policy import LanguageModel, loading_of
from operant.engine.reward import scoring_flops
from operant.errors import NotApplicable, require
from operant.loops.policy_gradient import Learner
from operant.loops.regularised import reading, regularised
from operant.loops.rounds import RoundFit
from operant.loops.told import quarters
from operant.methods.reward.reward_ensembles.study import findings
from operant.models.text import encode
from operant.objectives.reward import centred_bradley_terry_loss
from operant.rewards.ensemble import Ensemble, level_of
from operant.rewards.model import RewardModel
from operant.schema import Answer, Bench, Policy, Products, Prompt
from operant.training.budgeted import Fit, Stage
from operant.training.pairs import PairRow, pair_rows
from operant.training.reward import fit_head


@dataclass(frozen=True, kw_only=True)
class Config(Fit):
    pretrain: int = 4  # bodies that differ in their pretraining seed; 5 in the paper
    finetune: int = 1  # reward models on each body, which differ in order and head; 5 in the paper
    aggregate: Literal["mean", "median", "min", "mean_minus_std"] = "mean"
    weight: float = 1.0  # of the disagreement in mean_minus_std
    centring: float = 0.01  # weight of (r+ + r-)^2, arXiv:2312.09244, sec. 3
    bodies: tuple[str, ...] = ()  # model directories; none: the task's own, or the base where one body is enough
    optimise: Literal["best_of_n", "reinforce"] = "best_of_n"  # reinforce: a policy that learns, held by its KL
    n: int = 16  # of best-of-n
    samples: int = 16  # of the base per prompt, on which members are scaled and studied
    prompts: int = 32  # validation prompts of the study
    learning_rate: float = 1e-5
    epochs: float | None = 1
    kl_weight: float = 0.1  # reinforce: of log pi / base in the reward, which is in standard deviations of the base's
    policy_share: float = 0.5  # reinforce: of the budget; the members have the rest
    policy_rate: float = 1e-6  # reinforce: learning rate of the policy
    policy_batch: int = 32  # reinforce: prompts a round
    group: int = 4  # reinforce: answers to each
    max_tokens: int = 24  # reinforce: of an answer; a comparison draws answers of as many
    points: int = 3  # reinforce: checkpoints for the curve

    def __post_init__(self) -> None:
        for name in ("pretrain", "finetune", "n"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.samples >= 4 and self.prompts >= 2, "samples and prompts", (self.samples, self.prompts),
                "at least 4 samples of 2 prompts")  # fmt: skip
        require(min(self.weight, self.kl_weight) >= 0, "weights", (self.weight, self.kl_weight), "0 or more")
        require(0 < self.policy_share < 1, "policy_share", self.policy_share, "between 0 and 1")
        learns = self.optimise == "reinforce"
        for name, unset in (("kl_weight", 0.1), ("policy_share", 0.5), ("group", 4)):
            got = getattr(self, name)
            require(learns or got == unset, name, got, f"left out with optimise={self.optimise}")


def run(config: Config, bench: Bench) -> Products:
    bodies, pairs = starts(config, bench), bench.task.pairs("train")
    prompts = bench.task.prompts("valid")[: config.prompts]
    pool = bench.pool(prompts, config.samples)
    asked = [prompt for prompt, many in zip(prompts, pool, strict=True) for _ in many]
    drawn = [answer for many in pool for answer in many]
    groups = [place // config.finetune for place in range(config.pretrain * config.finetune)]
    scoring = scoring_cost([bodies[group] for group in groups], asked, drawn)
    kept = config.policy_share * bench.budget.plan(flops_per_step=1.0) if config.optimise == "reinforce" else 0.0
    members = []
    for place, group in enumerate(groups):
        share = share_for_training(bench, scoring, kept=kept) / (len(groups) - place)
        seed = bench.seed + 1000 * (place % config.finetune)
        stage = Stage(name=f"member-{place}", share=share)
        members.append(member(config, bench, bodies[group], pairs, seed=seed, stage=stage))
    raw = Ensemble(members).rewards(asked, drawn)
    levels = [level_of(one[~np.isnan(one)].tolist()) for one in raw]
    ensemble = Ensemble(members, how=config.aggregate, weight=config.weight, levels=levels)
    rewards = raw.reshape(len(groups), len(prompts), config.samples)
    found = findings(rewards, groups, [[str(answer.value) for answer in many] for many in pool])
    if config.optimise == "best_of_n":
        best: Any = BestOf(bench.base, ensemble, n=config.n)
    else:
        learner = reinforced(config, bench, ensemble, [member.head for member in members])
        best = learner.policy
        told = {f"member {place}": f"reward of member {place}" for place in range(len(members))}
        found += quarters(learner.rounds, {**told, "uncertainty": "disagreement of members"})
    return Products(generator=best, scorer=ensemble, own_reward=ensemble, findings=tuple(found))


def reinforced(config: Config, bench: Bench, ensemble: Ensemble, heads: Sequence[Any]) -> Learner:
    """A policy that learns to please the ensemble, on what is left of the budget."""
    settings = RoundFit(
        learning_rate=config.policy_rate, batch_size=config.policy_batch, group=config.group,
        max_tokens=config.max_tokens, points=config.points, recompute=config.recompute,
    )  # fmt: skip
    return regularised(
        bench, ensemble, settings, weight=config.kl_weight, judging=reading(heads), stage=Stage(name="policy")
    )  # fmt: skip


def share_for_training(bench: Bench, scoring: float, *, kept: float = 0.0) -> float:
    """The share of what is left now that members may take, so that `scoring` FLOPs are left in the end, and `kept`."""
    if kept:
        return max(0.01, 1 - (scoring + kept) / bench.budget.plan(flops_per_step=1.0))
    return 1 - 1 / max(2, bench.budget.plan(flops_per_step=scoring))


def scoring_cost(bodies: Sequence[Any], prompts: Sequence[Prompt], drawn: Sequence[Answer]) -> float:
    """FLOPs of scoring the pool with every member."""
    cost = 0.0
    for body in bodies:
        rows = encode(body.tokenizer, prompts, drawn)
        cost += scoring_flops(body.module, body.tokenizer, rows)
    return cost


def starts(config: Config, bench: Bench) -> list[Any]:
    """One body for each pretraining seed."""
    paths = config.bodies or bench.task.bodies
    if not paths and config.pretrain == 1:
        return [bench.base]
    if len(paths) < config.pretrain:
        raise NotApplicable(
            f"pretrain={config.pretrain} needs as many models that differ in their pretraining, and there are "
            f"{len(paths)}; give bodies=('DIR', ...), or pretrain=1,finetune={config.pretrain}"
        )
    return [LanguageModel.load(path, loading_of(bench.base)) for path in paths[: config.pretrain]]


def member(config: Config, bench: Bench, body: Any, pairs: Sequence[Any], *, seed: int, stage: Stage) -> RewardModel:
    """One reward model, on its share of what is left of the budget."""
    rows = pair_rows(body.tokenizer, pairs, max_length=bench.max_length)

    def loss(chosen: Tensor, rejected: Tensor, part: Sequence[PairRow]) -> Tensor:
        assert part
        return centred_bradley_terry_loss(chosen, rejected, weight=config.centring)

    head = fit_head(bench, body, rows, loss, config, seed=seed, stage=stage)
    return RewardModel(head.module, body.tokenizer, max_length=bench.max_length, adapter=head.adapter)


def load(config: Config, directory: Path, base: Policy) -> Products:
    scorer = Ensemble.load(directory / "scorer")
    if config.optimise == "reinforce":
        policy = LanguageModel.load(directory / "generator", loading_of(base))
        return Products(generator=policy, scorer=scorer, own_reward=scorer)
    inside = LanguageModel.load(directory / "generator" / "base", loading_of(base))
    return Products(generator=BestOf(inside, scorer, n=config.n), scorer=scorer, own_reward=scorer)


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="reward-ensembles",
        family="reward",
        kind="study",
        paper="arXiv:2312.09244",
        title="Helping or herding? Reward model ensembles mitigate but do not eliminate reward hacking",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="reward-ensembles:pretrain=1,finetune=1", smallest=0.0),
            Claim("reviews", "quality", "up", against="reward-ensembles:pretrain=1,finetune=4", smallest=0.0),
            Claim("reviews", "accuracy", "up", against="reward-ensembles:pretrain=1,finetune=1", smallest=0.0),
            Claim("reviews", "quality", "up", against="base", smallest=0.1, row="reward-ensembles:optimise=reinforce"),
            Claim(
                "reviews",
                "quality",
                "up",
                against="reward-ensembles:optimise=reinforce,pretrain=1,finetune=1",
                smallest=0.0,
                row="reward-ensembles:optimise=reinforce",
            ),
        ),
        baselines=(
            "base",
            "best-of-n",
            "reward-ensembles:pretrain=1,finetune=1",
            "reward-ensembles:pretrain=1,finetune=4",
            "reward-ensembles:pretrain=2,finetune=2",
            "reward-ensembles:aggregate=mean_minus_std",
            "reward-ensembles:optimise=reinforce",
            "reward-ensembles:optimise=reinforce,pretrain=1,finetune=1",
        ),
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 1e-3, "epochs": 3, "policy_rate": 3e-4, "policy_batch": 8},
        differs=(
            "bodies of about 0.4M parameters from four pretraining seeds; the paper has T5 models and five seeds",
            "members are standardised on answers of the base, in addition to the centring penalty",
            "all rows have one ceiling: members share it, and a single model stops at as many epochs as the proxy",
            "with optimise=reinforce the policy learns by REINFORCE with the other answers as its baseline; the paper "
            "takes PPO, sweeps the weight of the KL, and trains longer. The curve of a row are its checkpoints",
        ),
    ),
)
