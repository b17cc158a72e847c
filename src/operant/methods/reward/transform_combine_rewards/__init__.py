"""Transforming and combining rewards (Wang et al. 2024): centre each reward on its prompt, squash, and add.

The scorer is the combined reward; the generator resamples base answers by it at a chosen KL, so that rewards are
compared at equal distance from the base and no training stands between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.decoding.tilt import Resampled
from operant.disk import read_json, write_json
from operant.engine.policy import LanguageModel, loading_of
from operant.engine.rollouts import Asked, rollout_flops
from operant.errors import UnknownName, require
from operant.loops.regularised import reading, regularised
from operant.loops.rounds import Cost, RoundFit
from operant.loops.told import quarters
from operant.methods.reward.transform_combine_rewards.references import (
    Find,
    Regression,
    Scorers,
    by_canned,
    by_constant,
    by_quantile,
    by_regressor,
)  # fmt: skip
from operant.models.text import Encoded, encode_prompt
from operant.objectives.transform import clipped, log_sigmoid_sum, normalised_sum, raw_sum, sigmoid_centred
from operant.rewards.model import RewardModel
from operant.rewards.transform import Combined, Reference
from operant.schema import Bench, Decoding, Policy, Products, Prompt, Scorer
from operant.training.budgeted import Stage

Shape = Callable[[Tensor, Reference], Tensor]  # [properties, samples] rewards -> [samples]
References = Literal["quantile", "gaussian", "regressor", "canned", "constant"]


REFERRING = 0.25  # of the budget that is left: for references, before a policy learns


@dataclass(frozen=True, kw_only=True)
class Config:
    transform: Literal["lsc", "raw", "normalised", "clipped", "sigmoid", "uncentred"] = "lsc"
    reference: References = "quantile"
    q: float = 0.85  # arXiv:2402.00742, sec. 4: the quantile that counts as good
    reference_samples: int = 64
    reward_epochs: float = 1  # of fitting each reward model, one for each attribute; a third with optimise=reinforce
    constant: float = 0.0  # read by reference="constant" alone
    candidates: int = 128
    kl: float = 1.5  # nats
    ladder: tuple[float, ...] = (0.5, 1.5, 3.0)
    max_tokens: int = 24  # of the base answers that references are made from, and of the policy's own
    optimise: Literal["resample", "reinforce"] = "resample"  # reinforce: a policy that learns, held by its KL
    kl_weight: float = 0.1  # reinforce: of log pi / base in the reward
    policy_prompts: int = 128  # reinforce: at most, as each needs a reference; a quarter of the budget is for those
    policy_rate: float = 1e-6  # reinforce: learning rate
    policy_batch: int = 32  # reinforce: prompts a round
    group: int = 4  # reinforce: answers to each
    points: int = 3  # reinforce: checkpoints for the curve

    def __post_init__(self) -> None:
        if self.transform not in SHAPES:
            raise UnknownName("transform", self.transform, SHAPES)
        if self.reference not in get_args(References):
            raise UnknownName("reference", self.reference, get_args(References))
        require(0 < self.q < 1, "q", self.q, "between 0 and 1")
        require(self.reference_samples >= 2, "reference_samples", self.reference_samples, "at least 2")
        require(self.constant == 0 or self.reference == "constant", "constant", self.constant,
                "0 unless reference=constant")  # fmt: skip
        require(self.transform in CENTRED or self.reference == "quantile", "reference", self.reference,
                f"left out: transform={self.transform} has no reference")  # fmt: skip
        require(self.kl_weight >= 0, "kl_weight", self.kl_weight, "0 or more")
        require(self.policy_prompts >= 1, "policy_prompts", self.policy_prompts, "at least 1")
        learns = self.optimise == "reinforce"
        for name, unset in (("kl_weight", 0.1), ("policy_prompts", 128), ("group", 4)):
            got = getattr(self, name)
            require(learns or got == unset, name, got, f"left out with optimise={self.optimise}")
        for name, default in (("kl", 1.5), ("ladder", (0.5, 1.5, 3.0))):
            got = getattr(self, name)
            require(not learns or got == default, name, got, "left out with optimise=reinforce")


def _column(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)


def _each(transform: Callable[[Tensor, Tensor], Tensor], rewards: Tensor, reference: Reference) -> Tensor:
    """Sum over properties of transform(reward, centre)."""
    pairs = zip(rewards, reference.centre, strict=True)
    return torch.stack([transform(one, torch.full_like(one, centre)) for one, centre in pairs]).sum(0)


SHAPES: dict[str, Shape] = {
    "lsc": lambda r, ref: log_sigmoid_sum(r, _column(ref.centre).unsqueeze(1).expand_as(r)),
    "uncentred": lambda r, _: log_sigmoid_sum(r, torch.zeros_like(r)),
    "raw": lambda r, _: raw_sum(r, torch.ones(len(r))),
    "normalised": lambda r, ref: normalised_sum(r, mean=_column(ref.mean), std=_column(ref.spread).clamp(min=1e-6)),
    "clipped": lambda r, ref: _each(lambda one, c: clipped(one - c, low=-2.0, high=2.0), r, ref),
    "sigmoid": lambda r, ref: _each(sigmoid_centred, r, ref),
}
CENTRED = ("lsc", "clipped", "sigmoid")  # these read what counts as good; normalised reads mean and spread alone
PROBABILITIES = ("lsc", "sigmoid", "uncentred")  # these take the sigmoid of a reward


def run(config: Config, bench: Bench) -> Products:
    """One reward model per attribute of the task (the proxy alone where it has none), combined."""
    names = bench.task.attributes or (None,)
    epochs = config.reward_epochs if config.optimise == "resample" else config.reward_epochs / 3
    scorers: dict[str, Scorer] = {}
    for name in names:
        settings = {"attribute": name, "epochs": epochs} if name else {}
        scorer = bench.product("bradley-terry", **settings).scorer
        assert scorer is not None
        scorers[name or "preference"] = scorer
    _warn(config, scorers)
    if config.reference == "regressor":
        find: Find = by_regressor(bench, scorers, q=config.q, samples=config.reference_samples)
    else:
        find = _find(config, bench.base, scorers, bench.task.canned)
    products = _products(config, bench.base, scorers, find, bench.task.canned)
    return products if config.optimise == "resample" else reinforced(config, bench, products)


def reinforced(config: Config, bench: Bench, products: Products) -> Products:
    """A policy that learns to get more of the combined reward; references are made once, before the first round."""
    combined = products.scorer
    assert isinstance(combined, Combined)
    settings = RoundFit(
        learning_rate=config.policy_rate, batch_size=config.policy_batch, group=config.group,
        max_tokens=config.max_tokens, points=config.points,
    )  # fmt: skip
    judging = reading([scorer.head for scorer in combined.scorers.values() if isinstance(scorer, RewardModel)])
    prompts = affordable(config, bench, judging)
    combined.refer(prompts)
    learner = regularised(
        bench, combined, settings, weight=config.kl_weight, judging=judging, prompts=prompts, stage=Stage(name="policy")
    )
    told = quarters(learner.rounds, {name: f"reward of {name}" for name in combined.scorers})
    return replace(products, generator=learner.policy, findings=tuple(told))


def affordable(config: Config, bench: Bench, judging: Cost) -> list[Prompt]:
    """Training prompts whose references a quarter of what is left of the budget pays for, if each is drawn anew."""
    base: Any = bench.base
    prompts = bench.task.prompts("train")[: config.policy_prompts]
    asked = [Asked(prompt, encode_prompt(base.tokenizer, prompt)) for prompt in prompts]
    n, longest = config.reference_samples, (0,) * config.max_tokens
    drawing = rollout_flops(base.module, asked, n=n, max_tokens=config.max_tokens)
    scoring = judging(base.module, [Encoded(one.ids, longest) for one in asked for _ in range(n)])
    return prompts[: bench.budget.plan(flops_per_step=(drawing + scoring) / len(prompts) / REFERRING)]


def _warn(config: Config, scorers: Scorers) -> None:
    """A regression of ratings, a sum of nats, ...: their sigmoid means nothing."""
    others = {name: scorer.scale for name, scorer in scorers.items() if scorer.scale != "logit"}
    if others and config.transform in PROBABILITIES:
        scales = ", ".join(f"{name} ({scale})" for name, scale in others.items())
        warnings.warn(
            f"rewards on another scale than Bradley-Terry's logit: {scales}. sigmoid(r - reference) is then no "
            "probability; calibrate them first",
            stacklevel=3,
        )


def _find(config: Config, base: Policy, scorers: Scorers, canned: tuple[str, ...]) -> Find:
    """How references are made; transforms without one are not charged for samples."""
    if config.transform in ("raw", "uncentred"):
        return by_constant(0.0, count=len(scorers))
    if config.reference == "canned":
        return by_canned(scorers, canned)
    if config.reference == "constant":
        return by_constant(config.constant, count=len(scorers))
    return by_quantile(
        base, scorers, q=config.q, samples=config.reference_samples, gaussian=config.reference == "gaussian",
        decoding=Decoding(max_tokens=config.max_tokens),
    )  # fmt: skip


def _products(config: Config, base: Policy, scorers: Scorers, find: Find, canned: tuple[str, ...]) -> Products:
    combined = Stored(scorers, SHAPES[config.transform], {}, find=find)
    combined.canned = canned
    generator = Resampled(base, combined, candidates=config.candidates, kl=config.kl, ladder=config.ladder)
    return Products(generator=generator, scorer=combined, own_reward=combined)


class Stored(Combined):
    """A combined reward that keeps, on disk, the references it has made and what it makes new ones from."""

    canned: tuple[str, ...] = ()

    def save(self, directory: Path) -> None:
        super().save(directory)
        rows = {prompt: vars(reference) for prompt, reference in self.references.items()}
        write_json(directory / "references.json", {"names": list(self.scorers), "canned": self.canned, "rows": rows})
        if isinstance(self.find, Regression):
            self.find.save(directory / "regression.safetensors")


def load(config: Config, directory: Path, base: Policy) -> Products:
    """The references of known prompts are read; those of new prompts are made as before."""
    learnt = config.optimise == "reinforce"
    stored = directory / "scorer" if learnt else directory / "generator" / "scorer"
    kept = read_json(stored / "references.json")
    canned = tuple(kept["canned"])
    scorers: Scorers = {name: RewardModel.load(stored / name) for name in kept["names"]}
    inside = directory / "generator" / "base"
    own = LanguageModel.load(inside, loading_of(base)) if inside.is_dir() else base
    if config.reference == "regressor":
        find: Find = Regression.load(stored / "regression.safetensors", own.tokenizer, q=config.q)
    else:
        find = _find(config, own, scorers, canned)
    products = _products(config, own, scorers, find, canned)
    combined = products.scorer
    assert isinstance(combined, Combined)
    combined.references = {
        key: Reference(**{field: tuple(values) for field, values in row.items()}) for key, row in kept["rows"].items()
    }
    if not learnt:
        return products
    return replace(products, generator=LanguageModel.load(directory / "generator", loading_of(base)))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="transform-combine-rewards",
        family="reward",
        kind="method",
        paper="arXiv:2402.00742",
        title="Transforming and combining rewards for aligning large language models",
        claims=(
            Claim("reviews", "both", "up", against="transform-combine-rewards:transform=raw", smallest=0.05),
            Claim("reviews", "both", "up", against="base", smallest=0.02,
                  row="transform-combine-rewards:optimise=reinforce"),
        ),
        baselines=(
            "base",
            "transform-combine-rewards:transform=raw",
            "transform-combine-rewards:optimise=reinforce",
            "transform-combine-rewards:optimise=reinforce,transform=raw",
        ),
        needs=("bradley-terry",),
        tiny={"reference_samples": 16, "reward_epochs": 1.5, "policy_rate": 3e-4, "policy_batch": 8},
        differs=(
            "resamples base answers at a chosen KL; with optimise=reinforce a policy learns, without PPO's critic",
            "policies that learn from rewards transformed in different ways are compared along their curves, gold over "
            "KL: one weight of the KL means another distance for each, so no claim sets them against each other",
            "two learnt reward models of about 1M parameters instead of T5",
        ),
    ),
)  # fmt: skip
