"""Does a sentence in the prompt help? Verdicts on paired items, and selection that is reported on other items.

The probe is handed a function from prompts to right (1), wrong (0) or unknown (None); it knows no model and no task.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from operant.disk import answer_seed
from operant.errors import require
from operant.schema import Finding, Prompt
from operant.stats.differences import LEVEL, Interval, holm
from operant.stats.paired import FEWEST, Paired, count_pairs, paired_interval, relative_gain

Outcomes: TypeAlias = "Sequence[float | None]"
Right: TypeAlias = "Callable[[Sequence[Prompt]], Outcomes]"
Edit: TypeAlias = "Callable[[Prompt], Prompt]"
Effect = Literal["helps", "hurts", "no detectable effect", "inconclusive"]
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusVerdict:
    """What may be said of one sentence."""

    stimulus: str
    pairs: Paired
    p: float
    p_holm: float | None  # over all stimuli that were tried together
    interval: Interval | None  # of the effect; None where nothing is concluded
    relative: float | None  # gain over the share right without it; explodes where that is near 0
    verdict: Effect
    why: str = ""


def try_stimuli(
    right: Right, prompts: Sequence[Prompt], edits: Mapping[str, Edit], *, rng: np.random.Generator
) -> list[StimulusVerdict]:
    """Ask every prompt as it is and under every edit, and judge each edit."""
    asked = {name: right([edit(prompt) for prompt in prompts]) for name, edit in edits.items()}
    return verdicts(asked, right(prompts), ids=[prompt.id for prompt in prompts], rng=rng)


def verdicts(
    with_it: Mapping[str, Outcomes], without: Outcomes, *, ids: Sequence[Hashable], rng: np.random.Generator
) -> list[StimulusVerdict]:
    """A verdict for each stimulus, from outcomes in the order of `ids`: exact McNemar, Holm over all of them.

    Fewer than 10 discordant pairs, or an item that stands twice, leave it inconclusive, and then no interval is given.
    """
    require(len(ids) == len(without), "ids", len(ids), f"one for each of {len(without)} outcomes")
    twice = len(set(ids)) < len(ids)
    counted = {name: count_pairs(outcomes, without) for name, outcomes in with_it.items()}
    adjusted = holm([pairs.p for pairs in counted.values()])
    return [
        _verdict(name, pairs, p, with_it[name], without, twice=twice, rng=rng)
        for (name, pairs), p in zip(counted.items(), adjusted, strict=True)
    ]


def _verdict(
    name: str, pairs: Paired, p_holm: float | None, with_it: Outcomes, without: Outcomes, *, twice: bool,
    rng: np.random.Generator,
) -> StimulusVerdict:  # fmt: skip
    why = "an item stands twice" if twice else ""
    if not why and not pairs.conclusive:
        why = f"{pairs.discordant} of {pairs.n} items differ; at least {FEWEST} are needed"
    if why:
        return StimulusVerdict(
            stimulus=name, pairs=pairs, p=pairs.p, p_holm=p_holm, interval=None, relative=None,
            verdict="inconclusive", why=why,
        )  # fmt: skip
    both = [(one, two) for one, two in zip(with_it, without, strict=True) if one is not None and two is not None]
    means = [sum(side) / len(both) for side in zip(*both, strict=True)]
    said: Effect = "no detectable effect"
    if p_holm is not None and p_holm <= 1 - LEVEL:
        said = "helps" if pairs.effect > 0 else "hurts"
    return StimulusVerdict(
        stimulus=name, pairs=pairs, p=pairs.p, p_holm=p_holm, interval=paired_interval(pairs, rng=rng),
        relative=relative_gain(*means), verdict=said,
    )  # fmt: skip


class Halves(NamedTuple):
    choose: list[Prompt]  # A: what is selected on
    report: list[Prompt]  # B: what is reported on


def halves(prompts: Sequence[Prompt]) -> Halves:
    """Two halves in an order that the ids alone decide; a prompt that stands twice is taken once."""
    known = {prompt.id: prompt for prompt in prompts}
    order = sorted(known.values(), key=lambda prompt: answer_seed(0, "half", prompt.id))
    return Halves(order[: len(order) // 2], order[len(order) // 2 :])


def best_stimulus(with_it: Mapping[str, Outcomes], without: Outcomes) -> str:
    """The stimulus with the largest effect, "none" where none is above 0. A choice: its effect here is too good."""
    effects = {NONE: 0.0} | {name: count_pairs(outcomes, without).effect for name, outcomes in with_it.items()}
    return max(effects, key=lambda name: effects[name])


def choose(
    right: Right, prompts: Sequence[Prompt], edits: Mapping[str, Edit], *, by: Callable[[Prompt], str]
) -> dict[str, str]:
    """The best stimulus for each group of prompts that `by` makes."""
    plain = right(prompts)
    asked = {name: right([edit(prompt) for prompt in prompts]) for name, edit in edits.items()}
    chosen = {}
    for group in dict.fromkeys(map(by, prompts)):
        places = [place for place, prompt in enumerate(prompts) if by(prompt) == group]
        of_group = {name: [outcomes[place] for place in places] for name, outcomes in asked.items()}
        chosen[group] = best_stimulus(of_group, [plain[place] for place in places])
    return chosen


def findings_of(found: StimulusVerdict, *, name: str) -> tuple[Finding, ...]:
    """The effect in points with its interval, and the gain relative to without; inconclusive: the bare pairs."""
    pairs = found.pairs
    counts = f"{pairs.gained} gained and {pairs.lost} lost of {pairs.n} prompts, exact p {found.p:.2g}"
    if found.interval is None:
        net, most = float(pairs.gained - pairs.lost), float(pairs.discordant)
        said = f"{name}: inconclusive, {found.why}"
        return (Finding(name=said, effect=net, low=-most, high=most, unit="prompts gained less prompts lost"),)
    low, high = (100 * end for end in found.interval)
    points = Finding(name=f"{name}: {counts}", effect=100 * pairs.effect, low=low, high=high, unit="points")
    if not found.relative or not pairs.effect:
        return (points,)
    scale = found.relative / pairs.effect  # the share right without it, taken as known
    relative = Finding(
        name=f"{name}: relative to without it", effect=100 * found.relative, low=low * scale, high=high * scale,
        unit="percent",
    )  # fmt: skip
    return points, relative
