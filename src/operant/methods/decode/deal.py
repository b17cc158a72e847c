"""DeAL (Huang et al. 2024): decoding as a search whose heuristic is a reward of where each token leads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from operant.card import Card, Claim, Method
from operant.decoding.lookahead import LookAhead, Looking, Reward
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import NotApplicable
from operant.rewards.constraints import Constraints, stated_by
from operant.rewards.model import RewardModel
from operant.schema import Bench, Policy, Products, Scorer


@dataclass(frozen=True, kw_only=True)
class Config(Looking):
    weight: float = 1.0  # of the reward, per nat
    reward: Literal["learned", "constraints"] = "learned"  # the proxy, or the keywords and lengths a prompt states


def run(config: Config, bench: Bench) -> Products:
    if config.reward == "constraints" and not any(map(stated_by, bench.task.prompts("train"))):
        raise NotApplicable(
            "no prompt states a keyword or a length in the columns instruction_id_list and kwargs; use reward=learned"
        )
    return steered(config, bench.base, Constraints() if config.reward == "constraints" else bench.proxy)


def steered(config: Config, base: Any, scorer: Any) -> Products:
    how = Looking(**{name: getattr(config, name) for name in Looking.__dataclass_fields__})
    return Products(generator=LookAhead(base, rewarding(scorer), how, save_reward=scorer.save))


def rewarding(scorer: Scorer) -> Reward:
    """The scorer as a heuristic; what it cannot tell counts 0, for every candidate of a prompt alike."""
    return lambda prompts, answers: [score.value or 0.0 for score in scorer.score(prompts, answers)]


def load(config: Config, directory: Path, base: Policy) -> Products:
    parts = directory / "generator"
    scorer = Constraints() if config.reward == "constraints" else RewardModel.load(parts / "reward")
    return steered(config, LanguageModel.load(parts / "base", loading_of(base)), scorer)


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="deal",
        family="decode",
        kind="method",
        paper="arXiv:2402.06147",
        title="DeAL: decoding-time alignment for large language models",
        claims=(
            Claim("reviews", "quality", "up", against="base", smallest=0.1),
            Claim("reviews", "quality", "up", against="args", smallest=0.1),
            Claim("reviews", "quality", "up", against="deal:look=0", smallest=0.1),
        ),
        baselines=("base", "args", "best-of-n"),
        needs=("bradley-terry",),
        search={"weight": (1.0, 0.5, 2.0, 4.0)},
        differs=(
            "the reward is learnt from the comparison's pairs, or a program; the paper has OPT-125M heads on HH-RLHF",
            "widths are not the paper's, which gives them task by task",
            "an answer may not end before its first token: rewards are gamed by ending early",
        ),
    ),
)
