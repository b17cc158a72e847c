"""OREAL (Lyu et al. 2025): reinforcement learning from right or wrong, with credit for single tokens.

The policy answers each prompt several times. Of prompts that it solves sometimes, one right answer is cloned and one
wrong answer pushed down, token by token as much as a small reward model holds the token responsible. To clone what is
right is enough, because the best policy under a KL penalty is the start's own law over right answers; what is wrong
brings the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Literal

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.engine.logps import AnswerLogps, item_values
from operant.engine.token_scores import TokenScores, token_score_flops, token_scores
from operant.errors import require
from operant.loops.policy_gradient import policy_gradient
from operant.loops.rounds import Kept, Learnt, Recipe, Round, RoundFit, everyone, learnt
from operant.methods.optimize.oreal.credit import outcome_loss, running_mean, threshold_weights, top_weights
from operant.models.adapters import add_lora
from operant.models.heads import new_reward_head, score_layer
from operant.models.text import Encoded
from operant.objectives.advantage import group_relative, leave_one_out
from operant.objectives.kl import token_k3
from operant.objectives.reduction import batch_token_mean
from operant.rewards.verified import verified
from operant.schema import Answer, Bench, Finding, Products, Prompt, Score
from operant.stats import cell
from operant.training.budgeted import Stage
from operant.training.pairs import pass_flops
from operant.training.products import load_policy
from operant.training.track import note
from operant.training.update import Beside

PASS_RATE = "pass_rate"  # column of a prompt: how often the start solves it, where that is known
REPEATS = ((0.2, 6), (0.6, 4), (0.8, 2))  # below this rate a prompt is asked so often an epoch; above them never
TOP = 0.25
FREEZE = 10


@dataclass(frozen=True, kw_only=True)
class Config(RoundFit):
    group: int = 16
    batch_size: int = 64
    credit: Literal["threshold", "top", "none"] = "threshold"  # tokens' weights; none: every token and answer counts
    top_share: float = TOP  # of an answer's tokens (credit=top)
    freeze: int = FREEZE  # rounds in which only the token reward model learns
    faster: float = 4.0  # that model's score layer learns, at so many times the policy's rate
    advantage: Literal["rloo", "grpo"] = "rloo"
    positive: float = 1.0  # weight of right answers
    negative: float = 0.5  # weight of wrong answers; 0: they are left out
    by_advantage: bool = True  # right answers count by their advantage; False: all alike
    kl: float = 0.01  # weight of the KL to the start, k3 a token
    learning_rate: float = 5e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.updates == 1, "updates", self.updates, "1: answers are learnt from once")
        weights = self.positive, self.negative, self.kl
        require(min(weights) >= 0, "positive, negative or kl", weights, "0 or more")
        require(self.positive + self.negative > 0, "positive and negative", 0, "not both 0")
        require(0 < self.top_share <= 1, "top_share", self.top_share, "above 0, at most 1")
        require(self.freeze >= 0, "freeze", self.freeze, "0 or more rounds")
        require(self.faster > 0, "faster", self.faster, "above 0")
        used = self.credit == "top" or self.top_share == TOP
        require(used, "top_share", self.top_share, f"left out with credit={self.credit}")
        require(self.credit != "none" or self.freeze == FREEZE, "freeze", self.freeze, "left out with credit=none")


def outcome(bench: Bench, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
    """+1 for a right answer, else -1: also where it was cut, whatever it says so far, and where nobody can tell."""
    found = verified(bench.task, prompts, answers)
    undecided = [score.why for score in found if score.value is None]
    if undecided:
        ended = sum(answer.finish == "stop" for answer in answers)
        why = undecided[0]
        warnings.warn(f"the verifier could not tell {len(undecided)} of {ended} answers ({why}): wrong", stacklevel=2)
    return [Score(value=1.0 if (score.value or 0.0) > 0.5 else -1.0) for score in found]


def one_of_each(rewards: Sequence[float], rng: Random, *, negative: bool = True) -> Sequence[int]:
    """A right answer and a wrong one; nothing where all are alike. Without `negative` only the right one."""
    right = [place for place, value in enumerate(rewards) if value > 0]
    wrong = [place for place, value in enumerate(rewards) if value < 0]
    if not (right and wrong):
        return ()
    both = (rng.choice(right), rng.choice(wrong))
    return both if negative else both[:1]


def all_right(rewards: Sequence[float], _: Random) -> Sequence[int]:
    """Every right answer: plain cloning."""
    return [place for place, value in enumerate(rewards) if value > 0]


def balanced(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Prompts that are seldom solved several times, those that nearly always are not at all.

    By the column `pass_rate`; where a prompt lacks it, all are asked alike.
    """
    if any(PASS_RATE not in prompt.columns for prompt in prompts):
        return list(prompts)
    return [prompt for prompt in prompts for _ in range(repeats(float(prompt.columns[PASS_RATE])))]


def repeats(rate: float) -> int:
    return next((count for below, count in REPEATS if rate < below), 0)


def oreal_loss(one: Learnt, weights: Tensor, config: Config) -> Tensor:
    """[answers] what the policy minimises; the mean over a round's kept answers is L_pos + L_neg + L_KL.

    L_pos = positive / N+ * sum of A * weight_t * -log pi(y_t) over right answers
    L_neg = -negative / N- * sum of A * weight_t * exp(log pi(y_t) - log pi(y_t) held fixed) over wrong ones, A < 0
    L_KL  = kl / (N+ + N-) * sum of k3 over both

    Args: weights: [answers, tokens] of each token, 0 to 1, without gradient. N: tokens of the round's kept answers.
    Source: Lyu et al. 2025, arXiv:2502.06781, alg. 1, and the released training code.
    """
    kept = one.whole.everyone
    sizes = {sign: sum(len(own.row.answer) for own in kept if (own.reward > 0) == sign) for sign in (True, False)}
    right = one.rewards > 0
    reduce = partial(batch_token_mean, mask=one.mask, batch_answers=len(kept))
    worth = torch.where(right & (not config.by_advantage), 1.0, one.advantages).unsqueeze(1) * weights
    cloned = config.positive * reduce(-worth * one.logps, batch_tokens=max(1, sizes[True]))
    fresh = (one.logps - one.logps.detach()).exp()  # 1, with the gradient of the log-probability
    pushed = config.negative * reduce(-worth * fresh, batch_tokens=max(1, sizes[False]))
    loss = torch.where(right, cloned, pushed)
    if config.kl:
        kl = token_k3(one.logps, one.reference, one.mask)
        loss = loss + config.kl * reduce(kl, batch_tokens=sum(sizes.values()))
    return loss


class Credit:
    """The token reward model, trained beside the policy, and what the policy learns with its weights."""

    def __init__(self, config: Config, bench: Bench):
        base: Any = bench.base
        self.config, self.pad = config, base.tokenizer.pad_token_id
        rng = torch.Generator().manual_seed(answer_seed(bench.seed, "token rewards"))
        self.head = new_reward_head(base.module, base.tokenizer, rng=rng)
        with torch.no_grad():
            score_layer(self.head).weight.div_(config.faster)
        lora = base.loading.lora
        if lora is None:
            self.head.float()
        else:
            add_lora(self.head, lora, seed=bench.seed, scores=True)

    def scores(self, rows: Sequence[Encoded]) -> TokenScores:
        """The layer's weights are smaller by `faster`, and what they give is larger by it.

        An optimiser whose steps do not hang on the size of gradients then moves it so much faster.
        """
        found = token_scores(self.head, rows, pad=self.pad)
        return found._replace(scores=self.config.faster * found.scores)

    def values(self, module: Any, part: Sequence[Kept], whole: Round) -> Tensor:
        """[answers] surprise of the reward model, and after the first rounds the policy's loss beside it."""
        scores, mask = self.scores([one.row for one in part])
        right = torch.tensor([one.reward > 0 for one in part], device=mask.device)
        means = running_mean(scores, mask)
        judged = outcome_loss(means, mask, right)
        note({"token rewards/loss": judged})
        if whole.number < self.config.freeze:
            return judged
        if self.config.credit == "top":
            weights = top_weights(means, mask, right, share=self.config.top_share)
        else:
            weights = threshold_weights(means, mask, right)
        return judged + policy_values(module, part, whole, weights, self.config, pad=self.pad)

    def cost(self, module: Any, rows: Sequence[Encoded]) -> float:
        return pass_flops(module, rows) + token_score_flops(self.head, rows)


def policy_values(
    module: Any, part: Sequence[Kept], whole: Round, weights: Tensor | None, config: Config, *, pad: int
) -> Tensor:  # fmt: skip
    """[answers] `oreal_loss` in one pass; without weights every token counts."""

    def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
        one = learnt([part[place] for place in places], found, whole)
        own = one.mask.to(one.logps) if weights is None else weights[list(places), : one.mask.shape[1]]
        return oreal_loss(one, own, config)

    return item_values(module, [[one.row] for one in part], of, pad=pad)


def recipe(config: Config, bench: Bench, credit: Credit | None) -> Recipe:
    """How a round is scored, thinned out and learnt from."""
    advantage = leave_one_out if config.advantage == "rloo" else partial(group_relative, scaled=True, eps=1e-8)
    reward = partial(outcome, bench)
    if credit is not None:
        choose = partial(one_of_each, negative=config.negative > 0)
        return Recipe(
            reward=reward, advantage=advantage, values=credit.values, choose=choose, most=2, reference=config.kl > 0,
            cost=credit.cost,
        )  # fmt: skip
    pad = bench.base.tokenizer.pad_token_id

    def values(module: Any, part: Sequence[Kept], whole: Round) -> Tensor:
        return policy_values(module, part, whole, None, config, pad=pad)

    kept = everyone if config.negative > 0 else all_right
    return Recipe(reward=reward, advantage=advantage, values=values, choose=kept, reference=config.kl > 0)


def run(config: Config, bench: Bench) -> Products:
    credit = None if config.credit == "none" else Credit(config, bench)
    beside = None if credit is None else Beside(module=credit.head, weight_decay=0.01)
    prompts = balanced(bench.task.prompts("train"))
    learner = policy_gradient(
        bench, recipe(config, bench, credit), config, prompts=prompts, stage=Stage(name="rounds", beside=beside)
    )
    return Products(generator=learner.policy, findings=tuple(findings(learner.rounds)))


def findings(rounds: Sequence[dict[str, Any]]) -> list[Finding]:
    """How many prompts said nothing, because every answer was right, or every one wrong."""
    found = []
    for what, level in (("right", 1.0), ("wrong", -1.0)):
        shares = [sum(mean == level for mean in one["means"]) / len(one["means"]) for one in rounds]
        seen = cell(torch.tensor(shares, dtype=torch.float64).numpy())
        name = f"share of prompts whose answers were all {what}"
        found.append(Finding(name=name, effect=seen.mean or 0.0, low=seen.low or 0.0, high=seen.high or 0.0))
    return found


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="oreal",
        family="optimize",
        kind="method",
        paper="arXiv:2502.06781",
        title="OREAL: exploring the limit of outcome reward for learning mathematical reasoning",
        claims=(
            Claim("arithmetic", "accuracy", "up", against="base", smallest=0.08),
            Claim(
                "arithmetic",
                "accuracy",
                "up",
                against="oreal:credit=none,negative=0,by_advantage=False,kl=0",
                smallest=0.0,
            ),
        ),
        baselines=("base", "sft", "oreal:credit=none,negative=0,by_advantage=False,kl=0", "oreal:credit=none"),
        task="arithmetic",
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={"learning_rate": 3e-5, "batch_size": 8, "group": 8, "faster": 30.0},
        differs=(
            "one model of about 1M parameters, and arithmetic instead of competition mathematics",
            "answers are drawn at temperature 1 from the whole distribution, not from its top 0.9",
            "policy and token reward model share a learning rate that decays linearly, and a clip; of the reward model "
            "the score layer alone learns faster. The paper's is trained at four times the policy's rate throughout, "
            "and both follow a cosine",
            "prompts are balanced by how often the start solves them where the feedback brings a column `pass_rate`",
            "after a round of which nothing is kept, the optimiser's momentum still moves the policy a little",
            "a verifier that raises an error stops the run; one that says it cannot tell makes an answer wrong",
        ),
    ),
)
