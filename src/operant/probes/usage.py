"""What a kind of marker does to the right answer: contrasts between kinds over markers and questions.

Each contrast is that of a mixed model with random markers and questions (stats/crossed.py). A test over (marker,
question) rows would count every question once a marker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from operant.probes.answers import Table
from operant.probes.findings import Probed, Seen, probed, seen
from operant.stats.crossed import Contrast, Trials, crossed, crossed_again, interval, permuted_p
from operant.stats.differences import LEVEL, holm

Array = np.ndarray
FEWEST = 2  # markers on a side
ASKED = 10  # questions of a task, for an effect within it
RESAMPLES = 500  # of questions, for means of one kind
NEVER = 1e-3  # mean probability of right answers, below which they are too long to be read as they are
PLANTED = 0.05  # the effect that power is told for
UNITS = {"gold": "probability", "correct": "share", "mass": "probability", "share": "share", "entropy": "nats"}
WORDS = {"gold": "probability of the right answer", "correct": "right answer the likeliest",
         "mass": "probability of the answer set", "share": "right answer's share of the answer set",
         "entropy": "entropy of the answer set"}  # fmt: skip


class Side(NamedTuple):
    """Markers with a property and without it, as rows of the table."""

    inside: list[int]
    outside: list[int]
    what: str  # "strengtheners less weakeners"

    @property
    def usable(self) -> bool:
        return min(len(self.inside), len(self.outside)) >= FEWEST


def main_measure(table: Table) -> str:
    """The right answer's probability; where that is next to nothing, as of whole sentences, its share of the set."""
    return "share" if table.gold.mean() < NEVER and np.isfinite(table.share).all() else "gold"


def contrasts(table: Table, sides: Mapping[str, Side], *, rng: np.random.Generator) -> list[Probed]:
    """Every property's effect on the main measure, by its own name as key."""
    measure = main_measure(table)
    values = getattr(table, measure)
    tested = {key: of(values, side) for key, side in sides.items() if side.usable}
    adjusted = holm([one.p for one in tested.values()])
    found = []
    for (key, one), p in zip(tested.items(), adjusted, strict=True):
        side = sides[key]
        lot = permuted_p(*_marked(values, side), rng=rng)
        name = f"{side.what}, {WORDS[measure]}: p {one.p:.2g}, {p:.2g} by Holm over {len(tested)} properties, "
        name += f"{lot:.2g} against properties dealt by lot"
        found.append(probed(key, name, one, unit=UNITS[measure], trust=trust(values, side, rng)))
    return found


def measures(table: Table, key: str, side: Side) -> list[Probed]:
    """One property's effect on what else was measured, as far as it is known: "<key> correct", and so on."""
    found, main = [], getattr(table, main_measure(table))
    for measure in ("correct", "mass", "share", "entropy") if side.usable else ():
        values = getattr(table, measure)
        if np.isfinite(values).all() and not np.array_equal(values, main):
            name = f"{side.what}, {WORDS[measure]}"
            found.append(probed(f"{key} {measure}", name, of(values, side), unit=UNITS[measure]))
    return found


def within(table: Table, key: str, side: Side, tasks: Sequence[str]) -> list[Probed]:
    """One property's effect among the questions of each task that has enough of them, where there are several."""
    found, measure = [], main_measure(table)
    for task in dict.fromkeys(tasks) if len(set(tasks)) > 1 and side.usable else ():
        places = [place for place, one in enumerate(tasks) if one == task]
        if len(places) >= ASKED:
            name = f"{side.what}, {WORDS[measure]}, {len(places)} questions of {task}"
            one = of(getattr(table, measure)[:, places], side)
            found.append(probed(f"{key} in {task}", name, one, unit=UNITS[measure]))
    return found


def against(table: Table, key: str, side: Side) -> Probed:
    """One kind of markers less none."""
    measure = main_measure(table)
    return probed(key, f"{side.what}, {WORDS[measure]}", of(getattr(table, measure), side), unit=UNITS[measure])


def of(values: Array, side: Side) -> Contrast:
    return crossed(values[side.inside], values[side.outside])


def _marked(values: Array, side: Side) -> tuple[Array, list[bool]]:
    return values[[*side.inside, *side.outside]].mean(1), [True] * len(side.inside) + [False] * len(side.outside)


def trust(values: Array, side: Side, rng: np.random.Generator) -> Seen:
    """Power and false alarms of the contrast, on tables drawn anew from this one."""

    def test(effect: float, runs: int) -> Trials:
        return crossed_again(values[side.inside], values[side.outside], effect=effect, runs=runs, rng=rng)

    return seen(test, planted=PLANTED)


def means(table: Table, kinds: Mapping[str, Sequence[int]], *, rng: np.random.Generator) -> list[Probed]:
    """Mean of each kind with a bootstrap interval over questions, "mean <kind>", of both measures of being right."""
    found, main = [], main_measure(table)
    for measure in (main, "correct"):
        values = getattr(table, measure)
        for kind, rows in kinds.items():
            if rows:
                low, high = resampled(values[list(rows)].mean(0)[None], rng=rng)
                effect = float(values[list(rows)].mean())
                name = f"mean of {kind}, {WORDS[measure]}"
                key = f"mean {kind}" if measure == main else f"mean {kind} correct"
                found.append(Probed(key=key, name=name, effect=effect, low=low, high=high, unit=UNITS[measure]))
        if np.array_equal(values, table.correct):
            break
    return found


def spread(table: Table, rows: Sequence[int], *, rng: np.random.Generator) -> list[Probed]:
    """From the worst single marker to the best, which are chosen again in every resample of the questions."""
    values = table.correct[list(rows)]
    if len(values) < FEWEST:
        return []
    low, high = resampled(values, rng=rng, summary=lambda each: each.max(-1) - each.min(-1))
    each = values.mean(1)
    name = f"best of {len(rows)} single markers less the worst, {WORDS['correct']}; more than 0 by chance alone"
    return [Probed(key="range", name=name, effect=float(each.max() - each.min()), low=low, high=high, unit="share")]


def resampled(
    values: Array, *, rng: np.random.Generator, summary: Callable[[Array], Array] = lambda means: means[:, 0]
) -> tuple[float, float]:
    """95% percentile interval of a summary of row means, over questions drawn anew.

    Args: values [rows, questions]. summary: from [resamples, rows] to [resamples]; by default the first row's mean.
    """
    items = values.shape[1]
    weights = rng.multinomial(items, np.full(items, 1 / items), size=RESAMPLES) / items
    low, high = np.quantile(summary(weights @ values.T), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def perplexity(table: Table, surprise: Array, strong: Sequence[int], weak: Sequence[int]) -> list[Probed]:
    """What is left of strength when the marker's own perplexity is in the regression.

    mean of the main measure = a + b strong + c log perplexity, one row a marker, least squares; b with its t interval.

    Args: surprise [markers]: mean nats per token of each marker behind a few prompts.
    """
    rows = [*strong, *weak]
    if len(rows) <= 4 or min(len(strong), len(weak)) < FEWEST:
        return []
    marks = np.array([1.0] * len(strong) + [0.0] * len(weak))
    design = np.column_stack([np.ones(len(rows)), marks, surprise[rows]])
    if np.linalg.matrix_rank(design) < 3:
        return []
    measure = main_measure(table)
    target = getattr(table, measure)[rows].mean(1)
    fitted, *_ = np.linalg.lstsq(design, target, rcond=None)
    noise = float(((target - design @ fitted) ** 2).sum()) / (len(rows) - 3)
    se = float(np.sqrt(noise * np.linalg.inv(design.T @ design)[1, 1]))
    found = interval(float(fitted[1]), se, len(rows) - 3.0)
    name = f"strength beside the marker's perplexity, {WORDS[measure]}, over {len(rows)} markers"
    return [probed("strength beside perplexity", name, found, unit=UNITS[measure])]
