"""What held-out comparisons say of a model of users: does it read contexts, and what is in its beliefs?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor

from operant.methods.reward.variational_preference_learning.examples import Table, Users, context_of
from operant.objectives.latent import gaussian_kl
from operant.probes.reward_accuracy import right
from operant.probes.separable import separable
from operant.rewards.user_latent import Gaussian
from operant.rewards.user_model import UserRewardModel
from operant.schema import Finding, Pair
from operant.stats.differences import clopper_pearson

SIZES = (0, 2, 4, 8)
CONTEXTS = 8  # of each user, for the probe


class HeldOut:
    """Held-out pairs of users whose other comparisons are among the training pairs."""

    def __init__(self, model: UserRewardModel, seen: tuple[Sequence[Pair], Users, Table],
                 held: tuple[Sequence[Pair], Users, Table], *, seed: int):  # fmt: skip
        self.model, self.seen, self.held, self.seed = model, seen, held, seed

    def beliefs(self, names: Sequence[str], size: int) -> Gaussian:
        """About each of these users, from `size` of their training comparisons."""
        pairs, users, table = self.seen
        same = users.places()
        rng = Random(self.seed)
        contexts = [context_of(rng, place, pairs, same.get(name, ()), size) for place, name in self._anchors(names)]
        chosen, rejected, mask = table.contexts(contexts)
        return self.model.net.infer(chosen, rejected, mask & (size > 0))

    def _anchors(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """A training pair of each user that is left out of the context; any pair where the user has none."""
        first = {name: places[0] for name, places in self.seen[1].places().items()}
        return [(first.get(name, 0), name) for name in names]

    def accuracy(self, name: str, belief: Gaussian) -> Finding:
        table = self.held[2]
        marks = right(self.model.net.lead(table.chosen, table.rejected, self.model.placed(belief.mean)).tolist())
        interval = clopper_pearson(int(marks.sum()), len(marks))
        return Finding(name=name, effect=float(marks.mean()), low=interval.low, high=interval.high)

    @torch.no_grad()
    def findings(self) -> list[Finding]:
        names = self.held[1].of
        by_size = {size: self.beliefs(names, size) for size in SIZES}
        found = [self.accuracy(f"accuracy with {size} comparisons of the user", one) for size, one in by_size.items()]
        most = by_size[SIZES[-1]]
        order = list(range(len(names)))
        Random(self.seed).shuffle(order)
        turned = Gaussian(most.mean[order], most.log_variance[order])
        found.append(self.accuracy(f"accuracy with {SIZES[-1]} comparisons of somebody else", turned))
        return [*found, *self._told(most), *self._groups()]

    def _told(self, belief: Gaussian) -> list[Finding]:
        """KL of the beliefs: near 0 nothing is read off contexts any more."""
        encoder: Any = self.model.net.encoder
        prior: Tensor = encoder.prior.detach()
        nats = gaussian_kl(belief.mean, belief.log_variance, prior_mean=prior[0], prior_log_variance=prior[1]).numpy()
        mean, spread = float(nats.mean()), 1.96 * float(nats.std()) / math.sqrt(len(nats))
        return [
            Finding(name="KL of beliefs to the prior", effect=mean, low=mean - spread, high=mean + spread, unit="nats")
        ]

    def _groups(self) -> list[Finding]:
        """How well a linear probe tells users' groups from beliefs; users whom it was fitted on do not count."""
        known = dict(zip(self.seen[1].of, self.seen[1].groups, strict=True))
        names = [name for name, group in sorted(known.items()) if group is not None] * CONTEXTS
        means = self.beliefs(names, SIZES[-1]).mean.numpy()
        one = separable(means, [str(known[name]) for name in names], names, seed=self.seed)
        return [] if one is None else [one]
