"""A policy that learns from its own answers: rounds of prompts, each answered, scored, and learnt from at once.

One fit from beginning to end, whose items are the turns of prompts: when a round's first update is computed, its
answers are drawn from the weights as they are then. So the answers hang on (seed, round) and the weights alone, and a
run that is broken off goes on exactly: states are saved between two rounds, and the round that was broken off is drawn
again as it was. Where a scorer is not the same each time (a judge behind an endpoint), the second scores count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.disk import answer_seed, read_json, write_json
from operant.engine.body import read_flops, size_of
from operant.engine.logps import all_logps, answer_logps
from operant.engine.policy import LanguageModel
from operant.engine.processes import gathered, place
from operant.engine.rollouts import Asked, Rollout, rollout_flops, rollouts
from operant.errors import OperantError
from operant.loops.rounds import Kept, Recipe, Round, RoundFit, Turn
from operant.meter import charge_cost, metered
from operant.models.text import Encoded, encode_prompt
from operant.schema import Bench, Prompt
from operant.training.budgeted import WHOLE, Stage, fit_policy
from operant.training.track import note

TRIED = 8  # prompts whose answers are drawn beforehand


class Learner(NamedTuple):
    """What the rounds left."""

    policy: LanguageModel
    rounds: tuple[dict[str, Any], ...]  # what was told of each: see `_Rounds.told`


def policy_gradient(
    bench: Bench, recipe: Recipe, settings: RoundFit, *, prompts: Sequence[Prompt] | None = None, stage: Stage = WHOLE
) -> Learner:  # fmt: skip
    """As many rounds as the stage's share of the budget pays for, over the training prompts or those given.

    How long answers are is not known beforehand. A few answers of the base, drawn first and charged, say what a round
    may be expected to take; rounds are planned by that. No round begins that the budget could not pay for if none of
    its answers ended early: should the policy have come to write longer, the last rounds are left out.
    `settings.epochs` counts how often each prompt is asked.
    """
    base: Any = stage.start or bench.base
    asked = askable(base.tokenizer, bench, settings, prompts)
    size = min(settings.batch_size, len(asked))
    rounds = _Rounds(bench, base, recipe, settings, gathered(bench.dir)[0] / stage.name / "rounds")
    rounds.try_out(asked[: min(size, TRIED)])
    rounds.allowance = stage.share * bench.budget.plan(flops_per_step=1.0)
    turns = turns_of(asked, settings, count=_most(bench, base, asked, settings, stage), seed=bench.seed)
    plan = replace(settings, epochs=1, batch_size=size, accumulate=math.gcd(settings.accumulate, size))
    within = replace(stage, shuffled=False, share=stage.share * rounds.planned(turns[:size]))
    return Learner(fit_policy(bench, turns, rounds.loss, plan, rounds.price, stage=within), rounds.told())


def askable(
    tokenizer: Any, bench: Bench, settings: RoundFit, prompts: Sequence[Prompt] | None = None
) -> list[Asked]:  # fmt: skip
    """Prompts behind which a whole answer still fits the maximum length."""
    every = bench.task.prompts("train") if prompts is None else prompts
    asked = [Asked(prompt, encode_prompt(tokenizer, prompt)) for prompt in every]
    kept = [one for one in asked if len(one.ids) + settings.max_tokens <= bench.max_length]
    if not kept:
        raise OperantError(
            f"none of the {len(every)} prompts leaves room for {settings.max_tokens} tokens in max-length "
            f"{bench.max_length}; raise it, or lower max_tokens"
        )
    return kept


def turns_of(asked: Sequence[Asked], settings: RoundFit, *, count: int, seed: int) -> list[Turn]:
    """`count` rounds of prompts in order, each repeated for its updates; every epoch is a new permutation."""
    size = min(settings.batch_size, len(asked))
    order = [one for epoch in range(math.ceil(count * size / len(asked))) for one in _shuffled(asked, seed, epoch)]
    return [
        Turn(number, update, at, order[number * size + at])
        for number in range(count)
        for update in range(settings.updates)
        for at in range(size)
    ]


def _shuffled(asked: Sequence[Asked], seed: int, epoch: int) -> list[Asked]:
    return Random(answer_seed(seed, "turns", epoch)).sample(list(asked), len(asked))


def _most(bench: Bench, base: Any, asked: Sequence[Asked], settings: RoundFit, stage: Stage) -> int:
    """More rounds than the budget can pay for, or as many as `epochs` allow: no answer has less than one token."""
    size = min(settings.batch_size, len(asked))
    shortest = min(asked, key=lambda one: len(one.ids))
    least = rollout_flops(base.module, [shortest] * size, n=settings.group, max_tokens=1)
    count = bench.budget.plan(flops_per_step=least / stage.share)
    return count if settings.epochs is None else min(count, max(1, round(settings.epochs * len(asked) / size)))


@dataclass
class _Rounds:
    """The round at hand, and how its turns are priced and learnt from."""

    bench: Bench
    base: Any
    recipe: Recipe
    settings: RoundFit
    directory: Path
    round: Round = field(default_factory=lambda: Round(-1, (), 0.0))
    spent: float = 0.0  # FLOPs of the rounds before this one
    allowance: float = math.inf  # FLOPs of all rounds
    scale: float = 1.0  # what a round is expected to take, over the most that it may
    priced: dict[tuple[tuple[int, int, int], ...], float] = field(default_factory=dict)  # bounds of parts, by turns

    @property
    def pad(self) -> int:
        return self.base.tokenizer.pad_token_id

    def price(self, module: Any, part: Sequence[Turn]) -> float:
        """FLOPs that a part is expected to take; planning asks for the same parts again and again."""
        turns = tuple(turn[:3] for turn in part)
        if turns not in self.priced:
            self.priced[turns] = self.bound(module, part)
        return self.scale * self.priced[turns]

    def bound(self, module: Any, part: Sequence[Turn]) -> float:
        """The most a part may take: sampling and reference with its round's first update, and the update."""
        settings, first = self.settings, [turn.asked for turn in part if turn.update == 0]
        kept = min(self.recipe.most or settings.group, settings.group)
        longest = (0,) * settings.max_tokens
        total = self.recipe.cost(module, [Encoded(turn.asked.ids, longest) for turn in part for _ in range(kept)])
        if first:
            total += rollout_flops(module, first, n=settings.group, max_tokens=settings.max_tokens)
            drawn = [Encoded(one.ids, longest) for one in first for _ in range(settings.group)]
            total += self.recipe.judging(module, drawn)
        if first and self.recipe.reference:
            asked = [Encoded(one.ids, longest) for one in first for _ in range(kept)]
            total += read_flops(self.base.module, size_of(self.base.module, asked))
        return total

    def most(self, module: Any, whole: Sequence[Turn]) -> float:
        """The most that a round with all its updates may take; `whole` are the turns of its first."""
        later = [turn._replace(update=1) for turn in whole]
        return self.bound(module, whole) + (self.settings.updates - 1) * self.bound(module, later)

    def try_out(self, asked: Sequence[Asked]) -> None:
        """Learn from a few answers of the base how much of the most a round takes."""
        tried = [Turn(-1, 0, place, one) for place, one in enumerate(asked)]
        most = self.most(self.base.module, tried)
        self.bench.budget.plan(flops_per_step=most)
        with metered() as cost:
            found = self._new(self.base.module, tried)
        charge_cost(gathered(cost)[0])  # to each process: they plan the same rounds
        self.scale = min(1.0, found.flops / most)

    def planned(self, whole: Sequence[Turn]) -> float:
        """The share of the allowance that rounds are planned for, so that the last may take the most, if that fits."""
        spare = (1 - self.scale) * self.most(self.base.module, whole)
        return max(1 - spare / self.allowance, 0.5)

    def loss(self, module: Any, part: Sequence[Turn], whole: Sequence[Turn]) -> Tensor:
        """[turns]; their mean over the round is the mean of the recipe's values over all answers learnt from."""
        self._at(module, whole)
        groups = [self.round.groups[turn.place] for turn in part]
        rows = [one for group in groups for one in group]
        if not rows:
            return self._nothing(module, part)
        values = self.recipe.values(module, rows, self.round)
        scale = len(whole) / len(self.round.everyone)
        return torch.stack([own.sum() * scale for own in values.split([len(group) for group in groups])])

    def _at(self, module: Any, whole: Sequence[Turn]) -> None:
        """Make the round of these turns the one at hand."""
        number = whole[0].number
        if number == self.round.number:
            return
        # A run that goes on finds on disk what the rounds before took.
        before = number == self.round.number + 1
        self.spent = self.spent + self.round.flops if before else sum(self._told(one)["flops"] for one in range(number))
        if self.spent + self.most(module, whole) > self.allowance:
            self.round = Round(number, tuple(() for _ in whole), 0.0)
            self._tell(self.round, {"means": [], "tokens": 0.0, "unknown": 0})
        else:
            self.round = self._new(module, whole)

    def _nothing(self, module: Any, part: Sequence[Turn]) -> Tensor:
        """A loss of 0 with a gradient of 0, charged to nobody: a round of which nothing is learnt moves no weight."""
        with metered():
            idle = answer_logps(module, [Encoded(part[0].asked.ids, part[0].asked.ids[:1])], pad=self.pad)
        return (0.0 * idle.sums).expand(len(part))

    def _new(self, module: Any, whole: Sequence[Turn]) -> Round:
        """Draw, score and choose. The first process says what came out: a scorer may not say the same to each."""
        with metered() as cost:
            drawn = self._drawn(module, whole)
            made = self._scored(whole, drawn) if place().first else ((), {})
        charge_cost(cost)
        (groups, about), flops = gathered((made, cost.flops))[0]
        rows = [one.row for group in groups for one in group]
        update = self.recipe.cost(module, rows) if rows else 0.0
        found = Round(whole[0].number, groups, flops + update * self.settings.updates)
        self._tell(found, about)
        return found

    def _drawn(self, module: Any, whole: Sequence[Turn]) -> list[list[Rollout]]:
        """All processes draw the same, for a layer in pieces is gathered by all of them; one is charged."""
        seed = answer_seed(self.bench.seed, "rollouts", whole[0].number)
        asked = [turn.asked for turn in whole]
        if place().first:
            return self._sample(module, asked, seed)
        with metered():
            return self._sample(module, asked, seed)

    def _sample(self, module: Any, asked: Sequence[Asked], seed: int) -> list[list[Rollout]]:
        settings = self.settings
        return rollouts(
            module, self.base.tokenizer, asked, n=settings.group, max_tokens=settings.max_tokens, seed=seed
        )  # fmt: skip

    def _scored(
        self, whole: Sequence[Turn], drawn: Sequence[Sequence[Rollout]]
    ) -> tuple[tuple[tuple[Kept, ...], ...], dict[str, Any]]:
        """What is learnt from, and what is told of the round."""
        rewards = self._rewards(whole, drawn)
        worth = self.recipe.advantage(rewards)
        chosen = []
        for turn, own in zip(whole, rewards.tolist(), strict=True):
            rng = Random(answer_seed(self.bench.seed, "chosen", turn.number, turn.place))
            known = [at for at in self.recipe.choose(own, rng) if not math.isnan(own[at])]
            chosen.append([at for at in known if drawn[turn.place][at].row.answer])
        rows = [drawn[group][at].row for group, many in enumerate(chosen) for at in many]
        asked = iter(all_logps(self.base.module, rows, pad=self.pad) if self.recipe.reference else [()] * len(rows))
        groups = tuple(
            tuple(
                Kept(many[at].row, many[at].old, next(asked), float(rewards[group, at]), float(worth[group, at]))
                for at in chosen[group]
            )
            for group, many in enumerate(drawn)
        )
        return groups, _about(rewards, drawn)

    def _rewards(self, whole: Sequence[Turn], drawn: Sequence[Sequence[Rollout]]) -> Tensor:
        """[prompts, answers], NaN where the scorer could not tell."""
        prompts = [turn.asked.prompt for turn, many in zip(whole, drawn, strict=True) for _ in many]
        scores = self.recipe.reward(prompts, [one.answer for many in drawn for one in many])
        assert len(scores) == len(prompts), f"a reward gives one score an answer, got {len(scores)}"
        values = [math.nan if score.value is None else score.value for score in scores]
        return torch.tensor(values).view(len(whole), -1)

    def _tell(self, found: Round, about: dict[str, Any]) -> None:
        """To disk: a run that goes on later still knows of its first rounds."""
        if place().first and found.number >= 0:
            write_json(
                self._path(found.number), {**about, "kept": len(found.everyone), "flops": found.flops}
            )  # fmt: skip

    def _path(self, number: int) -> Path:
        return self.directory / f"{number}.json"

    def _told(self, number: int) -> dict[str, Any]:
        return read_json(self._path(number))

    def told(self) -> tuple[dict[str, Any], ...]:
        """Of every round that was drawn: each prompt's mean reward, mean tokens, rewards unknown, answers kept."""
        paths = sorted(self.directory.glob("*.json"), key=lambda path: int(path.stem))
        return tuple(one for one in map(read_json, paths) if one["means"])


def _about(rewards: Tensor, drawn: Sequence[Sequence[Rollout]]) -> dict[str, Any]:
    """What is told of a round, to whoever watches and to disk."""
    lengths = torch.tensor([len(one.row.answer) for many in drawn for one in many])
    even = [own[~own.isnan()].unique().numel() < 2 for own in rewards]
    note({"reward": rewards[~rewards.isnan()], "completions/mean_length": lengths,
          "frac_reward_zero_std": torch.tensor(even)})  # fmt: skip
    means = [None if own.isnan().all() else float(own.nanmean()) for own in rewards]
    return {"means": means, "tokens": float(lengths.float().mean()), "unknown": int(rewards.isnan().sum())}
