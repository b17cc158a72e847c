"""What the members of an ensemble share, and what they do not: agreement, transfer, shared errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from operant.domains.text.metrics import words
from operant.probes.herding import agreement, feature_shift, pairs_of, top, transfer
from operant.schema import Finding
from operant.stats import cell

TOP = 0.25  # share of the samples among which best-of-n chooses
HEDGES = frozenset({"may", "might", "perhaps", "possibly", "however", "generally", "likely", "sometimes"})
FEATURES: dict[str, Callable[[str], float]] = {
    "length": lambda text: float(len(words(text))),
    "repetition": lambda text: 1 - len(set(words(text))) / max(1, len(words(text))),
    "hedging": lambda text: float(sum(word in HEDGES for word in words(text))),
    "lists": lambda text: float(sum(line.lstrip().startswith(("-", "*", "1.")) for line in text.split("\n"))),
}
Values = NDArray[np.float64]


def findings(rewards: Values, groups: Sequence[int], texts: Sequence[Sequence[str]]) -> list[Finding]:
    """Of [members, prompts, samples] rewards of base answers.

    Intervals are over prompts, for these members. What cannot be told (a member or a feature that is flat) is left out.
    """
    known = np.nan_to_num(rewards, nan=float(np.nanmin(rewards)))
    found: list[Finding | None] = []
    for same, kind in ((True, "the same pretraining"), (False, "different pretraining")):
        pairs = pairs_of(groups, same=same)
        if pairs:
            found += [*_agreements(known, pairs, kind), _lost(known, pairs, kind)]
    for name, measure in FEATURES.items():
        feature = np.array([[measure(text) for text in many] for many in texts])
        if feature.std() > 0:
            found += _shifts(known, feature, name)
    return [one for one in found if one is not None]


def _agreements(rewards: Values, pairs: Sequence[tuple[int, int]], kind: str) -> list[Finding | None]:
    """On all samples, and on those that optimisation would choose among."""
    chosen = top(rewards, TOP)
    best = np.take_along_axis(rewards, chosen[None], -1)
    return [
        _over_prompts(f"rank agreement of members with {kind}, {where}", _mean(
            [agreement(values[a], values[b]) for a, b in pairs]), unit="Spearman's rho")
        for where, values in (("all samples", rewards), (f"best {TOP:.0%} of samples", best))
    ]  # fmt: skip


def _lost(rewards: Values, pairs: Sequence[tuple[int, int]], kind: str) -> Finding | None:
    """Gain that carries over to the other member, beside the gain that it would have reached by itself."""
    both = [*pairs, *((b, a) for a, b in pairs)]
    other = _mean([transfer(rewards[a], rewards[b]) for a, b in both])
    own = _mean([transfer(rewards[b], rewards[b]) for _, b in both])
    return _over_prompts(f"gain of best-of-n lost on a member with {kind}", own - other, unit="standard deviations")


def _shifts(rewards: Values, feature: Values, name: str) -> list[Finding | None]:
    """The shift of each member's choice; all clear of 0 on one side: an error, or a truth, that the members share."""
    shifts = feature_shift(rewards, feature)
    each = [_over_prompts(f"{name} gained by the choice of member {place}", one, unit="standard deviations")
            for place, one in enumerate(shifts)]  # fmt: skip
    clear = {None if one is None else 1 if one.low > 0 else -1 if one.high < 0 else 0 for one in each}
    shared = len(each) > 1 and clear in ({1}, {-1})
    label = f"{name} gained by the choice of every member" if shared else f"{name} gained on average over members"
    return [_over_prompts(label, _mean(list(shifts)), unit="standard deviations"), *each]


def _mean(values: Sequence[Values]) -> Values:
    """[prompts] mean over pairs or members; prompts where one of them is unknown are unknown."""
    return np.array(values).mean(0)


def _over_prompts(name: str, values: Values, *, unit: str) -> Finding | None:
    seen = cell(values)
    if seen.mean is None or seen.low is None or seen.high is None:
        return None
    return Finding(name=name, effect=seen.mean, low=seen.low, high=seen.high, unit=unit)
