"""What held-out pairs choose: a state of a training, and how far to go on beyond its end."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from operant.engine.reward import all_rewards, scoring_flops
from operant.methods.reward.helpsteer2_preference.rows import both
from operant.models.adapters import merge
from operant.models.text import Encoded
from operant.models.weights import load_weights
from operant.probes.reward_accuracy import accuracy_findings, rank_correlation, right
from operant.schema import Bench, Finding, Pair
from operant.training.extrapolate import extrapolated
from operant.training.fit import Fitted
from operant.training.reward import Head

SHARE = 0.25  # of the budget, at most, for scoring them
FINE = 1000  # parts that a price is cut into, to know a budget to that


class Judge:
    """Held-out pairs, which decide between states of one model; the last that was chosen is kept in `rewards`."""

    def __init__(self, bench: Bench, pairs: Sequence[Pair], *, passes: int):
        """`passes`: how many states there will be to score. Pairs beyond what their share pays for are left out."""
        self.bench, self.rewards = bench, list[float]()
        self.pairs, self.read, self.cost = pairs, list[Encoded](), 0.0
        self._take(pairs, passes)
        enough = SHARE * self._left()
        if enough < 1:
            self._take(pairs[: max(1, int(enough * len(pairs)))], passes)

    def _take(self, pairs: Sequence[Pair], passes: int) -> None:
        self.pairs, self.read = pairs, [answer for pair in pairs for answer in both(self.bench, pair)]
        base: Any = self.bench.base
        self.cost = passes * scoring_flops(base.module, base.tokenizer, self.read)

    def _left(self) -> float:
        """What is left of the budget, in units of what all scoring takes."""
        return self.bench.budget.plan(flops_per_step=self.cost / FINE) / FINE

    def leaves(self) -> float:
        """The share of the budget that is left for training."""
        return 1 - 1 / max(2.0, self._left())

    def accuracy(self, module: Any) -> float:
        self.rewards = all_rewards(module, self.bench.base.tokenizer, self.read)
        return float(right(self.leads()).mean())

    def leads(self) -> list[float]:
        return [won - lost for won, lost in zip(self.rewards[::2], self.rewards[1::2], strict=True)]

    def choose(self, head: Head, fitted: Fitted) -> None:
        """The most accurate state of a training, the later one of equals; `head` is left there."""
        found: list[tuple[float, int, list[float]]] = []
        for step, path in fitted.checkpoints.items():
            load_weights(head.module, path)
            found.append((self.accuracy(head.module), step, self.rewards))
        _, best, self.rewards = max(found, key=lambda one: one[:2])
        load_weights(head.module, fitted.checkpoints[best])

    def findings(self) -> list[Finding]:
        found = accuracy_findings(self.leads(), [pair.margin for pair in self.pairs])
        rated = [rating for pair in self.pairs for rating in pair.ratings or ()]
        agreement = rank_correlation(self.rewards, rated) if len(rated) == len(self.rewards) else None
        return found + ([agreement] if agreement else [])


def plain(head: Head) -> Any:
    """The model without adapters: itself, or a copy that they were added to."""
    return head.module if head.adapter is None else merge(copy.deepcopy(head.adapter))


def values(module: Any) -> dict[str, Tensor]:
    """A copy of every weight."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def beyond(
    head: Head, before: dict[str, Tensor], judge: Judge, alphas: Sequence[float], *, pick: bool
) -> tuple[Head, Finding]:
    """The weights at one of `alphas` and 0, and which were as accurate. Adapters are added to the weights.

    `pick`: the most accurate, the smallest of equals; otherwise the one alpha that is given.
    """
    module = plain(head)
    after = values(module)
    tried = {0.0: judge.rewards}
    accuracy = {0.0: float(right(judge.leads()).mean())}
    for alpha in alphas:
        module.load_state_dict(extrapolated(before, after, alpha=alpha))
        accuracy[alpha], tried[alpha] = judge.accuracy(module), judge.rewards
    good = [alpha for alpha in accuracy if accuracy[alpha] == max(accuracy.values())]
    alpha = min(good) if pick else alphas[0]
    module.load_state_dict(extrapolated(before, after, alpha=alpha))
    judge.rewards = tried[alpha]
    found = Finding(name="alpha of the extrapolation; and which were as accurate on held-out pairs", effect=alpha,
                    low=min(good), high=max(good))  # fmt: skip
    return Head(module, None), found
