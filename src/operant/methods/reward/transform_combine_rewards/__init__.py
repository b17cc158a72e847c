"""Transforming and combining rewards (Wang et al. 2024): centre each reward on its prompt, squash, and add.

The scorer is the combined reward; the generator resamples base answers by it at a chosen KL, so that rewards are
compared at equal distance from the base and no training stands between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.decoding.tilt import Resampled
from operant.disk import read_json, write_json
from operant.engine.policy import LanguageModel
from operant.errors import UnknownName, require
from operant.methods.reward.transform_combine_rewards.references import (
    Find,
    Scorers,
    by_canned,
    by_constant,
    by_quantile,
    by_regressor,
)  # fmt: skip
from operant.objectives.transform import clipped, log_sigmoid_sum, normalised_sum, raw_sum, sigmoid_centred
from operant.rewards.model import RewardModel
from operant.rewards.transform import Combined, Reference
from operant.schema import Bench, Decoding, Policy, Products

Shape = Callable[[Tensor, Reference], Tensor]  # [properties, samples] rewards -> [samples]


@dataclass(frozen=True, kw_only=True)
class Config:
    transform: Literal["lsc", "raw", "normalised", "clipped", "sigmoid", "uncentred"] = "lsc"
    reference: Literal["quantile", "gaussian", "regressor", "canned", "constant"] = "quantile"
    q: float = 0.85  # arXiv:2402.00742, sec. 4: the quantile that counts as good
    reference_samples: int = 64
    constant: float = 0.0  # read by reference="constant" alone
    candidates: int = 128
    kl: float = 1.5  # nats
    ladder: tuple[float, ...] = (0.5, 1.5, 3.0)
    max_tokens: int = 24  # of the base answers that references are made from

    def __post_init__(self) -> None:
        if self.transform not in SHAPES:
            raise UnknownName("transform", self.transform, SHAPES)
        known = ("quantile", "gaussian", "regressor", "canned", "constant")
        if self.reference not in known:
            raise UnknownName("reference", self.reference, known)
        require(0 < self.q < 1, "q", self.q, "between 0 and 1")
        require(self.constant == 0 or self.reference == "constant", "constant", self.constant,
                "0 unless reference=constant")  # fmt: skip


def _column(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)


SHAPES: dict[str, Shape] = {
    "lsc": lambda r, ref: log_sigmoid_sum(r, _column(ref.centre).unsqueeze(1).expand_as(r)),
    "uncentred": lambda r, ref: log_sigmoid_sum(r, torch.zeros_like(r)) + 0 * len(ref.centre),
    "raw": lambda r, ref: raw_sum(r, torch.ones(len(ref.centre))),
    "normalised": lambda r, ref: normalised_sum(r, mean=_column(ref.mean), std=_column(ref.spread).clamp(min=1e-6)),
    "clipped": lambda r, ref: sum(clipped(one - c, low=-2.0, high=2.0) for one, c in zip(r, ref.centre, strict=True)),
    "sigmoid": lambda r, ref: sum(
        sigmoid_centred(one, torch.full_like(one, c)) for one, c in zip(r, ref.centre, strict=True)
    ),
}


def run(config: Config, bench: Bench) -> Products:
    """One reward model per attribute of the task (the overall preference where it has none), combined."""
    names = bench.task.attributes or (None,)
    scorers: Scorers = {
        name or "preference": _scorer(bench.product("bradley-terry", **({"attribute": name} if name else {})))
        for name in names
    }
    if config.reference == "regressor":
        find = by_regressor(bench, scorers, q=config.q, samples=config.reference_samples)
    else:
        find = _find(config, bench.base, scorers, bench.task.canned)
    return _products(config, bench.base, scorers, find, bench.task.canned)


def _scorer(products: Products) -> RewardModel:
    scorer = products.scorer
    assert isinstance(scorer, RewardModel)
    if scorer.scale != "logit":
        warnings.warn(
            f"a reward on the {scorer.scale} scale is no Bradley-Terry logit, so sigmoid(r - reference) is no "
            "probability; calibrate it first",
            stacklevel=2,
        )
    return scorer


def _find(config: Config, base: Policy, scorers: Scorers, canned: tuple[str, ...]) -> Find:
    around = by_quantile(
        base, scorers, q=config.q, samples=config.reference_samples, gaussian=config.reference == "gaussian",
        decoding=Decoding(max_tokens=config.max_tokens),
    )  # fmt: skip
    if config.reference == "canned":
        return by_canned(scorers, canned, around)
    if config.reference == "constant":
        return by_constant(config.constant, around)
    return around


def _products(config: Config, base: Policy, scorers: Scorers, find: Find, canned: tuple[str, ...]) -> Products:
    combined = Stored(scorers, SHAPES[config.transform], {}, find=find)
    combined.canned = canned
    generator = Resampled(base, combined, candidates=config.candidates, kl=config.kl, ladder=config.ladder)
    return Products(generator=generator, scorer=combined, own_reward=combined)


class Stored(Combined):
    """A combined reward that keeps, on disk, the references it has made."""

    canned: tuple[str, ...] = ()

    def save(self, directory: Path) -> None:
        super().save(directory)
        rows = {prompt: vars(reference) for prompt, reference in self.references.items()}
        write_json(directory / "references.json", {"names": list(self.scorers), "canned": self.canned, "rows": rows})


def load(config: Config, directory: Path, base: Policy) -> Products:
    """The references of known prompts are read; new prompts get theirs from the base, as before."""
    parts = directory / "generator"
    kept = read_json(parts / "scorer" / "references.json")
    scorers: Scorers = {name: RewardModel.load(parts / "scorer" / name) for name in kept["names"]}
    own = LanguageModel.load(parts / "base") if (parts / "base").is_dir() else base
    products = _products(
        config, own, scorers, _find(config, own, scorers, tuple(kept["canned"])), tuple(kept["canned"])
    )
    combined = products.scorer
    assert isinstance(combined, Combined)
    fields = ("centre", "mean", "spread")
    combined.references = {key: Reference(*(tuple(row[k]) for k in fields)) for key, row in kept["rows"].items()}
    return products


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
            Claim(
                "reviews", "both", "up", against="transform-combine-rewards:transform=raw,kl=0.5", smallest=0.0,
                row="transform-combine-rewards:kl=0.5",
            ),
        ),
        baselines=("base", "transform-combine-rewards:transform=raw"),
        needs=("bradley-terry",),
        tiny={"reference_samples": 16},
        differs=(
            "resamples base answers at a chosen KL instead of training with PPO; the RL half waits",
            "two learnt reward models of about 1M parameters instead of T5",
        ),
    ),
)  # fmt: skip
