"""What the scores of a file say, in lines: accuracy beside the trivial judges, calibration, and both by a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from operant.data.records import Record, plain
from operant.errors import UnknownName, require
from operant.rewards.judges import LongerWins
from operant.rewards.model import win_probability
from operant.schema import Answer, Prompt, Scale, Score
from operant.stats.reliability import auroc, calibration

FIELDS = ("split", "source", "rater")  # of a record, beside its columns
MOST = 60  # values of a column that a file may be split by
NOTHING = "(none)"


class Compared(NamedTuple):
    """One pair: 1 where the better answer came out ahead, 0, or 0.5 for a tie; None where nobody can tell."""

    win: float | None
    longer: float | None  # the same of the judge who prefers the longer answer
    second: bool | None  # whether the better answer was shown second
    probability: float | None = None  # of the better answer, where the scale gives one


def judged_pairs(
    chosen: Sequence[Score], rejected: Sequence[Score], records: Sequence[Record], scale: Scale
) -> list[Compared]:
    """By the values themselves: a difference too small for a probability still decides."""
    sides = list(zip(chosen, rejected, strict=True))
    wins = [
        None if one.value is None or two.value is None else 0.5 * ((one.value > two.value) + (one.value >= two.value))
        for one, two in sides
    ]
    sure = [win_probability(one.value, two.value) if scale == "logit" else None for one, two in sides]
    return [Compared(*three) for three in zip(wins, *trivial(records), sure, strict=True)]


def trivial(records: Sequence[Record]) -> tuple[list[float | None], list[bool | None]]:
    """What a judge of length says of every pair, and whether one who always names the second answer is right."""
    prompts = [Prompt(id=str(record.line), content=record.prompt) for record in records]
    chosen, rejected = (
        [Answer(value=plain(getattr(record, side))) for record in records] for side in ("chosen", "rejected")
    )
    seconds = [None if record.chosen_was is None else record.chosen_was == 2 for record in records]
    return LongerWins().compare(prompts, chosen, rejected), seconds


def groups(records: Sequence[Record], by: str) -> dict[str, list[int]]:
    """Places of the records that share a value of column `by`, by value; those without it last."""
    named = [_named(record, by) for record in records]
    if all(one is None for one in named):
        raise UnknownName("column", by, sorted({name for record in records for name in record.columns} | set(FIELDS)))
    values = sorted({one for one in named if one is not None})
    require(len(values) <= MOST, f"column {by}", f"{len(values)} values", f"at most {MOST} to split by")
    found = {value: [place for place, one in enumerate(named) if one == value] for value in values}
    rest = [place for place, one in enumerate(named) if one is None]
    return found | ({NOTHING: rest} if rest else {})


def _named(record: Record, by: str) -> str | None:
    """The value on one line."""
    value = record.columns[by] if by in record.columns else getattr(record, by) if by in FIELDS else None
    return None if value is None else " ".join(str(value).split())


def pair_lines(judged: Sequence[Compared], records: Sequence[Record], by: str | None) -> list[str]:
    """Of all pairs, their calibration, then of each subset."""
    lines = [accuracy_line(judged), *_calibration_line(judged)]
    for value, places in (groups(records, by) if by else {}).items():
        lines.append(f"{by} {value}: {accuracy_line([judged[place] for place in places])}")
    return lines


def accuracy_line(judged: Sequence[Compared]) -> str:
    """A tie counts one half; a pair with an unknown score is left out and counted."""
    known = [0.5 if one.win == 0.5 else float(one.win > 0.5) for one in judged if one.win is not None]
    second = [one.second for one in judged if one.second is not None]
    told = [
        f"accuracy {share(known)} of {len(known)} pairs",
        f"unknown {len(judged) - len(known)}",
        f"longer wins {share([one.longer for one in judged if one.longer is not None])}",
        *([f"always second {share(second)}"] if second else []),
    ]
    return ", ".join(told)


def _calibration_line(judged: Sequence[Compared]) -> list[str]:
    """Where the scores are logits: how sure the verdicts were, and how often they were right."""
    known = [one.probability for one in judged if one.probability is not None]
    if not known:
        return []
    found = calibration(known)
    bins = "; ".join(f"{one.predicted:.2f} sure, {one.observed:.2f} right of {one.n}" for one in found.bins)
    return [f"calibration error {found.error:.3f}: {bins}"]


def answer_lines(scores: Sequence[Score], records: Sequence[Record], scale: Scale, by: str | None) -> list[str]:
    """Of all single answers, then of each subset."""
    lines = [mean_line(scores, records, scale)]
    for value, places in (groups(records, by) if by else {}).items():
        picked = [scores[place] for place in places], [records[place] for place in places]
        lines.append(f"{by} {value}: {mean_line(*picked, scale)}")
    return lines


def mean_line(scores: Sequence[Score], records: Sequence[Record], scale: Scale) -> str:
    """The mean; where the rows say which answers are good, also how far the scores agree with that."""
    known = [score.value for score in scores if score.value is not None]
    told = f"mean {share(known)} of {len(known)}, unknown {len(scores) - len(known)}"
    marked = [
        (score.value, record.label)
        for score, record in zip(scores, records, strict=True)
        if score.value is not None and record.label is not None
    ]
    if not marked:
        return told
    labels = [label for _, label in marked]
    told += f", labelled good {share(labels)}"
    if scale == "probability":
        told += f", agrees with the label {share([(value > 0.5) == label for value, label in marked])}"
    if 0 < sum(labels) < len(labels):
        told += f", AUROC {auroc([value for value, _ in marked], labels):.3f}"
    return told


def share(values: Sequence[float] | Sequence[bool]) -> str:
    """Their mean, or that there is none."""
    return "unknown" if not values else f"{math.fsum(values) / len(values):.3f}"
