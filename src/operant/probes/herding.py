"""Do reward models that agree on ordinary answers agree on the answers that optimisation finds?

All functions take rewards [members, prompts, samples]: every member's rewards of the same samples of each prompt.
Source: Eisenstein et al. 2023, arXiv:2312.09244.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Values = NDArray[np.float64]


def agreement(one: Values, two: Values) -> Values:
    """[prompts] Spearman rank correlation of two members over the samples of each prompt; NaN where one is flat."""
    ranks = [rankdata(values, axis=-1) for values in (one, two)]
    centred = [values - values.mean(-1, keepdims=True) for values in ranks]
    spread = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, (centred[0] * centred[1]).sum(-1) / spread, np.nan)


def best(rewards: Values) -> NDArray[np.intp]:
    """[prompts] which sample one member, [prompts, samples], likes most; the first of equals."""
    return rewards.argmax(-1)


def at(values: Values, places: NDArray[np.intp]) -> Values:
    """[prompts] the values, [prompts, samples], at one sample of each prompt."""
    return np.take_along_axis(values, places[:, None], -1)[:, 0]


def transfer(optimised: Values, judge: Values) -> Values:
    """[prompts] gain by `judge`, in its standard deviations, of choosing the best sample by `optimised`.

    Divided by the same for `judge` choosing itself it is the share of the gain that carries over: 1 where nothing was
    over-optimised, 0 or less where all of it was. Both are [prompts, samples].
    """
    spread = judge.std()
    return (at(judge, best(optimised)) - judge.mean(-1)) / (spread if spread > 0 else 1.0)


def top(rewards: Values, share: float) -> NDArray[np.intp]:
    """[prompts, kept] the samples that the mean over members likes most: what best-of-n would choose among."""
    kept = max(2, round(share * rewards.shape[-1]))
    return np.argsort(-rewards.mean(0), axis=-1, kind="stable")[:, :kept]


def feature_shift(rewards: Values, feature: Values) -> Values:
    """[members, prompts] how much of a feature's standard deviation is gained by choosing each member's best sample.

    `feature` is [prompts, samples]. The same sign in every member: an ensemble of them cannot take the shift away.
    """
    spread = feature.std()
    shifts = [at(feature, best(member)) - feature.mean(-1) for member in rewards]
    return np.array(shifts) / (spread if spread > 0 else 1.0)


def pairs_of(groups: Sequence[int], *, same: bool) -> list[tuple[int, int]]:
    """Pairs of members of the same group (pretraining seed), or of different ones."""
    return [(a, b) for a, b in combinations(range(len(groups)), 2) if (groups[a] == groups[b]) == same]
