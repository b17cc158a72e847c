"""SparsePO (Christopoulou et al. 2024): preference optimisation in which only some tokens count.

Token-level DPO, a reward and a KL term for every token, both multiplied by a mask: learnt with the policy from the
frozen reference's hidden states (SparsePO), or read off the reference's activations (MaPO). A learnt mask has exact
zeros and shows which tokens carry the preference.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from operant.card import Card, Claim, Method
from operant.engine.activations import watching
from operant.engine.tokens import TokenTerms, terms_flops, token_terms
from operant.errors import require
from operant.meter import metered
from operant.methods.optimize.sparsepo.masks import SparseMask, activation_mask, random_mask, sparsity
from operant.objectives.preference import token_dpo_loss
from operant.schema import Bench, Finding, Products
from operant.stats import cell
from operant.training.budgeted import PolicyFit, Stage, fit_policy
from operant.training.pairs import PairRow, pair_rows, sides
from operant.training.products import load_policy
from operant.training.track import note, note_pairs
from operant.training.update import Beside

SHOWN = 64  # pairs on which the mask's sparsity is measured


@dataclass(frozen=True, kw_only=True)
class Config(PolicyFit):
    beta: float = 0.1  # released configuration for HH
    mask: Literal["learned", "activations", "random", "binary", "ones"] = "learned"  # MaPO; ablations; ones: TDPO-1
    shared: bool = True  # one mask for rewards and KL; False: two heads (learned and binary only)
    layers: Literal["all", "last"] = "all"  # whose hidden states the head reads
    depth: Literal[1, 2] = 1  # linear layers of the head
    start: Literal["random", "ones"] = "random"  # of the head; ones: masks around 1, where random ones may be dead
    l1_reward: float = 0.001  # weight of the mask's sum over tokens
    l1_kl: float = 0.001
    mask_weight_decay: float = 0.01
    learning_rate: float = 5e-7

    def __post_init__(self) -> None:
        require(self.beta > 0, "beta", self.beta, "above 0")
        require(min(self.l1_reward, self.l1_kl) >= 0, "l1", (self.l1_reward, self.l1_kl), "0 or more")
        require(self.shared or self.has_head, "shared", self.shared, f"True with mask={self.mask}")
        plain = (self.layers, self.depth) == ("all", 1)
        require(plain or self.has_head, "layers and depth", (self.layers, self.depth), "left out: no head is used")

    @property
    def has_head(self) -> bool:
        return self.mask in ("learned", "binary")


class Masks(NamedTuple):
    reward: Tensor  # [rows, time]
    kl: Tensor  # [rows, time]


class Masking:
    """The frozen reference, the heads, and the masks that they make of a batch."""

    def __init__(self, config: Config, bench: Bench):
        self.config, self.reference, self.seed = config, bench.base.module, bench.seed
        self.pad = bench.base.tokenizer.pad_token_id
        about = self.reference.config.get_text_config()
        self.heads = nn.ModuleList(
            SparseMask(
                width=about.hidden_size, layers=about.num_hidden_layers, depth=config.depth,
                last_only=config.layers == "last", seed=bench.seed + place, at_one=config.start == "ones",
            )
            for place in range((1 if config.shared else 2) if config.has_head else 0)
        ).to(next(self.reference.parameters()).device)  # fmt: skip

    def terms(self, module: Any, part: Sequence[PairRow]) -> tuple[TokenTerms, Masks]:
        """Token terms of chosen, then rejected answers, with their masks."""
        rows = sides(part)
        if self.config.mask == "activations":
            with watching(self.reference) as seen:
                terms = token_terms(module, self.reference, rows, pad=self.pad)
            made = [activation_mask(terms, seen)]
        else:
            terms = token_terms(module, self.reference, rows, pad=self.pad)
            if self.config.mask == "ones":
                made = [terms.mask.to(terms.ratio)]
            elif self.config.mask == "random":
                made = [random_mask(rows, terms, seed=self.seed)]
            else:
                made = [head(terms.hidden).masked_fill(~terms.mask, 0.0) for head in self.heads]
        if self.config.mask == "binary":
            made = [one.sign().detach() for one in made]
        return terms, Masks(made[0], made[-1])

    def loss(self, module: Any, part: Sequence[PairRow], whole: Sequence[PairRow]) -> Tensor:
        assert whole
        terms, masks = self.terms(module, part)
        rewards = (masks.reward * terms.ratio).sum(1).split(len(part))
        kls = (masks.kl * terms.kl).sum(1).split(len(part))
        note_pairs(*rewards, beta=self.config.beta)
        note({"mask/mean": masks.reward.sum(1) / terms.mask.sum(1), "mask/zeros": sparsity(masks.reward, terms.mask)})
        size = self.config.l1_reward * masks.reward.sum(1) + self.config.l1_kl * masks.kl.sum(1)
        chosen, rejected = size.split(len(part))
        return token_dpo_loss(*rewards, *kls, beta=self.config.beta) + chosen + rejected


def run(config: Config, bench: Bench) -> Products:
    rows = pair_rows(bench.base.tokenizer, bench.task.pairs("train"), max_length=bench.max_length)
    masking = Masking(config, bench)

    def cost(module: Any, part: Sequence[PairRow]) -> float:
        return terms_flops(module, masking.reference, sides(part))

    beside = Beside(module=masking.heads, weight_decay=config.mask_weight_decay) if len(masking.heads) else None
    policy = fit_policy(bench, rows, masking.loss, config, cost, stage=Stage(beside=beside))
    return Products(generator=policy, findings=tuple(findings(masking, policy.module, rows[:SHOWN])))


@torch.no_grad()
def findings(masking: Masking, module: Any, rows: Sequence[PairRow]) -> list[Finding]:
    """How sparse the masks came out on training answers; measuring it is charged to nobody."""
    with metered():
        terms, masks = masking.terms(module, rows)
    if not masks.reward.any():
        warnings.warn("the reward mask is 0 everywhere, so nothing was learnt from preferences; lower l1", stacklevel=2)
    found = []
    for term, mask in (("rewards", masks.reward), ("KL", masks.kl)):
        for side, share in zip(("chosen", "rejected"), sparsity(mask, terms.mask).split(len(rows)), strict=True):
            seen = cell(share.double().numpy())
            name = f"share of {side} tokens that the mask of {term} leaves out"
            found.append(Finding(name=name, effect=seen.mean or 0.0, low=seen.low or 0.0, high=seen.high or 0.0))
    return found


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="sparsepo",
        family="optimize",
        kind="method",
        paper="arXiv:2410.05102",
        title="SparsePO: controlling preference alignment of LLMs via sparse token masks",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="dpo", smallest=0.0),
        ),
        baselines=("base", "dpo", "sparsepo:mask=activations", "sparsepo:mask=random", "sparsepo:mask=ones"),
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 1e-4, "start": "ones"},
        differs=(
            "one model of about 1M parameters",
            "dropout in the mask head (0.01 in the paper) is off, as everywhere here",
            "on small models the head starts with masks around 1: from random weights most masks of a model of four "
            "layers were 0 and stayed so (first attempt)",
            "the learning rate decays linearly; the paper's follows a cosine",
            "the random mask is drawn once for each answer, not anew at every step",
        ),
    ),
)
