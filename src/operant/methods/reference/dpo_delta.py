"""Delta arithmetic (Liu et al. 2021): what DPO changed, at another strength: base + alpha (dpo - base)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from operant.card import Card, Claim, Method
from operant.decoding.guided import Guide, Guided, load_guided
from operant.schema import Bench, Products


@dataclass(frozen=True, kw_only=True)
class Config:
    alpha: float = 2.0  # 0 is the base, 1 is dpo itself


def run(config: Config, bench: Bench) -> Products:
    tuned: Any = bench.product("dpo").generator
    base: Any = bench.base
    guides = {"tuned": Guide(tuned, config.alpha)}
    return Products(generator=Guided(base, guides, base_weight=1 - config.alpha, ladder=(0.25, 0.5, 1.0)))


METHOD = Method(
    Config,
    run,
    load_guided,
    Card(
        slug="dpo-delta",
        family="reference",
        kind="method",
        paper="arXiv:2105.03023",
        title="Delta of a tuned and an untuned model, added at decoding",
        claims=(Claim("reviews", "quality", "up", against="base", smallest=0.1),),
        baselines=("base", "dpo"),
        needs=("dpo",),
        search={"alpha": (2.0, 0.5, 1.5, 0.25)},
        differs=("the expert is DPO's model and the anti-expert the base that it started from",),
    ),
)
