"""Attributions of many prompts as findings: what each part adds on average, and whether parts that say little do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from operant.probes.findings import Probed, probed, seen
from operant.probes.games import spearman
from operant.probes.shapley import Attribution, shares, token_noise
from operant.stats.crossed import Contrast, Trials, again, over_items
from operant.stats.differences import LEVEL

Array = np.ndarray
PLANTED = {"probability": 0.05, "logit": 0.5}  # what power is told for, by the unit of the values
MOST = 20  # parts that are reported, those with the largest mean |phi|
RESAMPLES = 500
# Words that carry grammar and courtesy rather than content.
FUNCTION_WORDS = frozenset(
    "a an the this that these those and or but if of to in on at by for with from as is are was were be been do does "
    "did will would can could should may might must shall not no it its he she they you i we my your please thank "
    "thanks kindly".split()
)


def by_part(names: Sequence[Sequence[str]], found: Sequence[Attribution]) -> dict[str, Array]:
    """phi of every part in the prompts that have it; twice in one prompt is added up. Largest mean |phi| first."""
    held: dict[str, list[float]] = defaultdict(list)
    for own, one in zip(names, found, strict=True):
        sums: dict[str, float] = defaultdict(float)
        for name, phi in zip(own, one.phi, strict=True):
            sums[name] += float(phi)
        for name, total in sums.items():
            held[name].append(total)
    order = sorted(held, key=lambda name: -abs(sum(held[name])))
    return {name: np.array(held[name]) for name in order}


def parts_found(
    parts: Mapping[str, Array], *, unit: str, what: str, rng: np.random.Generator
) -> list[Probed]:  # fmt: skip
    """The mean of each part that stands in two prompts or more, with a t interval over prompts."""
    total = sum(np.abs(phi).mean() for phi in parts.values()) or 1.0
    made = []
    for name, phi in [(name, phi) for name, phi in parts.items() if len(phi) >= 2][:MOST]:
        share = np.abs(phi).mean() / total

        def test(effect: float, runs: int, phi: Array = phi) -> Trials:
            return again(phi, effect=effect, runs=runs, rng=rng)

        told = f"{name!r} adds, over {len(phi)} prompts, {share:.0%} of mean |phi|; {what}"
        made.append(probed(name, told, over_items(phi), unit=unit, trust=seen(test, planted=PLANTED[unit])))
    return made


def totals(found: Sequence[Attribution], *, unit: str, what: str) -> Probed:
    """The value of all parts less that of none, which the parts' values add up to."""
    gaps = np.array([one.whole - one.empty for one in found])
    return probed("all parts", f"all parts less none; {what}", over_items(gaps), unit=unit)


def left_out(each: Sequence[Array], *, unit: str) -> Probed:
    """What parts are worth by leaving out one at a time, added up: beside `totals` it shows what they do together."""
    name = "parts left out one at a time, added up: more than all parts where they help together"
    return probed("left out alone", name, over_items([one.sum() for one in each]), unit=unit)


def noise_of(parts: Mapping[str, Array], low: Collection[str], *, rng: np.random.Generator) -> list[Probed]:
    """What parts that say little carry of mean |phi|, above their share of the parts; nothing where all or none do."""
    names = list(parts)
    places = [place for place, name in enumerate(names) if name in low]
    if not 0 < len(places) < len(names):
        return []
    means = np.array([[np.abs(parts[name]).mean() for name in names]])
    found = token_noise(means, places, rng=rng)
    drawn = []
    for _ in range(RESAMPLES):
        again_means = np.array([[np.abs(rng.choice(parts[name], size=len(parts[name]))).mean() for name in names]])
        drawn.append(float(shares(again_means)[places].sum()) - found.parts)
    low_end, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    name = f"token noise: {len(places)} of {len(names)} parts that say little carry {found.share:.0%} of mean |phi|, "
    name += f"less their share; p {found.p:.2g} against labels dealt by lot"
    effect = found.share - found.parts
    return [Probed(key="token noise", name=name, effect=effect, low=float(low_end), high=float(high), p=found.p,
                   unit="share")]  # fmt: skip


def alike(one: Mapping[str, Array], two: Mapping[str, Array], *, what: str, rng: np.random.Generator) -> list[Probed]:
    """Rank correlation of two attributions of the same parts in the same prompts, and its interval over prompts."""
    names = [name for name in one if name in two and len(one[name]) == len(two[name])]
    if len(names) < 3 or len({len(one[name]) for name in names}) > 1:
        return []
    ours, theirs = (np.array([values[name] for name in names]) for values in (one, two))
    effect = spearman(ours.mean(1), theirs.mean(1))
    drawn = []
    for _ in range(RESAMPLES):
        places = rng.integers(ours.shape[1], size=ours.shape[1])
        drawn.append(spearman(ours[:, places].mean(1), theirs[:, places].mean(1)))
    if np.isnan(effect) or np.isnan(drawn).any():
        return []
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [Probed(key=f"rank correlation {what}", name=f"rank correlation of the parts' values with {what}",
                   effect=effect, low=float(low), high=float(high), unit="")]  # fmt: skip


def frames(one: Mapping[str, Array], two: Mapping[str, Array]) -> dict[str, Contrast]:
    """What each part adds in one frame less what it adds in another, paired by prompt."""
    return {name: over_items(one[name] - two[name]) for name in one if name in two}
