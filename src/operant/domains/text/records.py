"""Rows of a user's file as the feedback that methods read: prompts, pairs, judged answers, documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operant.data.derive import ratings_to_pairs
from operant.data.records import Record, plain
from operant.data.split import group, prompt_id
from operant.schema import Answer, Document, Judged, Pair, Prompt


def prompt_of(record: Record) -> Prompt:
    """The prompt with its row's columns; `targets`, the answers that count as right, and `target` if it is one."""
    assert record.prompt is not None
    targets = record.targets or ()
    known: dict[str, Any] = {"targets": targets} if targets else {}
    known |= {"target": targets[0]} if len(targets) == 1 else {}
    known |= {"choices": record.choices} if record.choices else {}
    return Prompt(id=prompt_id(record.prompt), content=record.prompt, columns={**known, **record.columns})


def pairs_of(records: Sequence[Record]) -> list[Pair]:
    """Preference rows, and every two differently rated answers of rated rows."""
    made = [one for record in records if record.kind == "ratings" for one in ratings_to_pairs(record).records]
    return [_pair(record) for record in [*records, *made] if record.kind == "preference"]


def _pair(record: Record) -> Pair:
    assert record.chosen is not None and record.rejected is not None
    return Pair(
        prompt=prompt_of(record), chosen=Answer(value=plain(record.chosen)),
        rejected=Answer(value=plain(record.rejected)), margin=record.margin, ratings=record.ratings,
        baseline=None if record.baseline is None else Answer(value=plain(record.baseline)),
    )  # fmt: skip


def judged_of(records: Sequence[Record]) -> list[Judged]:
    """Demonstrations, labelled, stepwise and rated answers; the steps of an answer are its lines."""
    return [one for record in records for one in _judged(record)]


def _judged(record: Record) -> list[Judged]:
    if record.kind == "ratings":
        rated = zip(record.completions or (), record.scores or (), strict=True)
        return [
            Judged(prompt=prompt_of(record), answer=Answer(value=plain(text)), rating=score, rater=record.rater)
            for text, score in rated
        ]
    if record.kind == "stepwise":
        answer = Answer(value="\n".join(record.steps or ()))
        return [Judged(prompt=prompt_of(record), answer=answer, steps=record.step_labels)]
    if record.kind in ("prompt_completion", "unpaired") and record.completion is not None:
        answer = Answer(value=plain(record.completion))
        return [Judged(prompt=prompt_of(record), answer=answer, label=record.label)]
    if record.kind == "messages" and isinstance(record.text, tuple) and record.text[-1]["role"] == "assistant":
        asked = Prompt(id=prompt_id(record.text[:-1]), content=record.text[:-1])
        return [Judged(prompt=asked, answer=Answer(value=record.text[-1]["content"]))]
    return []


def documents_of(records: Sequence[Record], *, scored: bool) -> list[Document]:
    """Texts, with the scores of their segments where those are asked for; rows without scores are then left out."""
    found = []
    for record in records:
        if record.kind not in ("text", "scored_text") or (scored and record.scores is None):
            continue
        segments = record.texts or (plain(group(record)),)
        scores = record.scores if scored else None
        found.append(Document(id=prompt_id(group(record)), segments=segments, scores=scores, source=record.source))
    return found
