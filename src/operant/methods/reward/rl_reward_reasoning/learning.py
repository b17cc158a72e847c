"""How the policy learns from rewards of tokens: PPO, with a critic or the other answers as what was to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from operant.disk import answer_seed
from operant.engine.logps import AnswerLogps, item_values
from operant.engine.step_scores import step_read_flops
from operant.engine.token_scores import token_score_flops, token_scores
from operant.loops.rounds import Kept, Recipe, Round, free, learnt
from operant.methods.reward.rl_reward_reasoning.shaping import PLACE, over_batch, repeated, step_rewards, token_rewards
from operant.models.adapters import add_lora
from operant.models.heads import new_reward_head
from operant.models.steps import step_ends
from operant.models.text import Encoded
from operant.objectives.advantage import generalised_advantages, leave_one_out
from operant.objectives.policy_gradient import ppo_loss, value_loss
from operant.objectives.process import returns
from operant.objectives.reduction import batch_token_mean
from operant.ops import whiten
from operant.rewards.process import ProcessReward
from operant.rewards.verified import verified
from operant.schema import Answer, Bench, Prompt, Score
from operant.training.pairs import pass_flops
from operant.training.update import Beside

if TYPE_CHECKING:
    from operant.methods.reward.rl_reward_reasoning import Config

CRITIC = 0.5  # weight of the critic's loss beside the policy's


class Learning:
    """How a round's answers are paid, and what the policy (and a critic beside it) makes of that."""

    def __init__(self, config: Config, bench: Bench, scorer: ProcessReward | None, *, threshold: float):
        self.config, self.bench, self.scorer, self.threshold = config, bench, scorer, threshold
        base: Any = bench.base
        self.tokenizer, self.pad = base.tokenizer, base.tokenizer.pad_token_id
        self.critic = _critic(base, seed=bench.seed) if config.baseline == "critic" else None
        self.beside = None if self.critic is None else Beside(module=self.critic)
        self.round: Round | None = None
        self.worth: dict[int, Worth] = {}

    def recipe(self) -> Recipe:
        judging = free if self.scorer is None else partial(_reading, self.scorer)
        return Recipe(
            reward=self.judge, advantage=leave_one_out, values=self.values, reference=self.config.kl > 0,
            cost=self.cost, judging=judging,
        )  # fmt: skip

    def judge(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """The success of every answer, what its tokens are paid beside it, and what is told of it."""
        success = verified(self.bench.task, prompts, answers)
        ends = [step_ends(self.tokenizer, one.tokens, self.config.step_end) if one.tokens else () for one in answers]
        steps: Sequence[Sequence[float]] = [()] * len(answers)
        if self.scorer is not None:
            steps = self.scorer.steps(prompts, answers)
        paid = over_batch(steps) if self.config.shaping == "normalised" else steps
        return [self._score(*one) for one in zip(answers, success, ends, steps, paid, strict=True)]

    def _score(
        self, answer: Answer, success: Score, ends: Sequence[int], steps: Sequence[float], paid: Sequence[float]
    ) -> Score:
        if success.value is None or not ends:
            return Score(value=None, why=success.why or "the answer is empty")
        told = {"success": success.value, "steps": float(len(ends))}
        told["repeated"] = repeated(str(answer.value), self.config.step_end)
        tokens = {f"{PLACE}{ends[-1]}": success.value}
        if steps:
            if len(steps) != len(ends):
                return Score(value=None, why=f"{len(ends)} steps, and {len(steps)} in the judge's tokens")
            shaped = (self.config.alpha * self._shaped(paid)).tolist()
            told |= {"process": sum(steps) / len(steps), "shaped": sum(shaped)}
            for end, value in zip(ends, shaped, strict=True):
                tokens[f"{PLACE}{end}"] = tokens.get(f"{PLACE}{end}", 0.0) + value
        return Score(value=sum(tokens.values()), parts={**told, **tokens})

    def _shaped(self, steps: Sequence[float]) -> Tensor:
        """[steps] of an outcome reward model's only the last, which reads the whole answer."""
        if self.config.shaping == "orm":
            return torch.tensor([0.0] * (len(steps) - 1) + [steps[-1]])
        return step_rewards(steps, self.config.shaping, threshold=self.threshold)

    def values(self, module: Any, part: Sequence[Kept], whole: Round) -> Tensor:
        """[answers] PPO's loss, and half the critic's beside it."""
        if self.round is not whole:
            self.round, self.worth = whole, self._worth(whole.everyone)
        own = [self.worth[id(one)] for one in part]
        reduce = partial(
            batch_token_mean, batch_tokens=sum(len(one.row.answer) for one in whole.everyone),
            batch_answers=len(whole.everyone),
        )  # fmt: skip

        def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
            one = learnt([part[place] for place in places], found, whole)
            worth = table([own[place].advantages for place in places]).to(found.logps)
            clip = self.config.clip
            return ppo_loss(one.logps, one.old, one.mask, worth, low=clip, high=clip, reduce=reduce)

        loss = item_values(module, [[one.row] for one in part], of, pad=self.pad)
        if self.critic is None:
            return loss
        foreseen, mask = token_scores(self.critic, [one.row for one in part], pad=self.pad)
        old, wanted = (table([getattr(one, name) for one in own]).to(foreseen) for name in ("values", "returns"))
        return loss + CRITIC * value_loss(foreseen, old, wanted, mask, clip=self.config.clip, reduce=reduce)

    def _worth(self, kept: Sequence[Kept]) -> dict[int, Worth]:
        """Of every answer of a round, advantages whitened over all of its tokens; undiscounted, so that sums telescope.

        With answers as the baseline it is the mean reward of the others to the same prompt, at every token.
        """
        rewards = [self._tokens(one) for one in kept]
        mask = table([torch.ones_like(one) for one in rewards]) > 0
        if self.critic is None:
            expected = torch.tensor([one.reward - one.advantage for one in kept]).unsqueeze(1)
            wanted = table([returns(one) for one in rewards])
            values, advantages = expected.expand_as(wanted), wanted - expected
        else:
            values = self._foreseen(kept)
            advantages, wanted = generalised_advantages(table(rewards), values, mask, discount=1.0, decay=1.0)
        white = whiten(advantages, mask)
        counts = [len(one) for one in rewards]
        return {
            id(one): Worth(white[place, :count], values[place, :count], wanted[place, :count])
            for place, (one, count) in enumerate(zip(kept, counts, strict=True))
        }

    def _tokens(self, one: Kept) -> Tensor:
        """[tokens] what an answer's tokens are paid, less what the KL to the base costs."""
        paid = token_rewards(one.parts, len(one.row.answer))
        if self.config.kl:
            paid -= self.config.kl * (torch.tensor(one.old) - torch.tensor(one.reference))
        return paid

    @torch.no_grad()
    def _foreseen(self, kept: Sequence[Kept]) -> Tensor:
        return token_scores(self.critic, [one.row for one in kept], pad=self.pad).scores.cpu()

    def cost(self, module: Any, rows: Sequence[Encoded]) -> float:
        beside = 0.0
        if self.critic is not None:
            beside = token_score_flops(self.critic, rows) + step_read_flops(self.critic, rows)
        return pass_flops(module, rows) + beside


class Worth(NamedTuple):
    """Of one answer's tokens."""

    advantages: Tensor
    values: Tensor  # what was to be expected when it was drawn
    returns: Tensor  # what came


def table(rows: Sequence[Tensor]) -> Tensor:
    """[answers, tokens], 0 behind each answer."""
    return pad_sequence(list(rows), batch_first=True)


def _reading(scorer: ProcessReward, _: Any, rows: Sequence[Encoded]) -> float:
    return step_read_flops(scorer.head, rows)


def _critic(base: Any, *, seed: int) -> Any:
    """What foresees the return, from the base's body and a small random layer."""
    head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(answer_seed(seed, "critic")))
    if base.loading.lora is None:
        return head.float()
    add_lora(head, base.loading.lora, seed=seed, scores=True)
    return head
