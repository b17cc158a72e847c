"""Answers to imitate: the chosen ones of pairs, or single answers that nobody called bad."""

from __future__ import annotations

from operant.data.cut import cut_ids
from operant.errors import NotApplicable, OperantError
from operant.models.text import Encoded, encode
from operant.schema import Bench, Judged
from operant.training.pairs import pair_rows


def demonstration_rows(bench: Bench) -> list[Encoded]:
    """Rows of ids that fit the maximum length."""
    tokenizer, longest = bench.base.tokenizer, bench.max_length
    try:
        return [row.chosen for row in pair_rows(tokenizer, bench.task.pairs("train"), max_length=longest)]
    except NotApplicable:
        judged = [one for one in bench.task.judged("train") if is_good(one)]
    rows = encode(tokenizer, [one.prompt for one in judged], [one.answer for one in judged])
    cut = [cut_ids(row.prompt, row.answer, longest) for row in rows]
    kept = [Encoded(tuple(one.prompt), tuple(one.answer)) for one in cut if not one.dropped]
    if not kept:
        raise OperantError(f"none of the {len(judged)} good answers fits max-length {longest}")
    return kept


def is_good(one: Judged) -> bool:
    """Not called bad, nor with a step that is wrong; a rating alone does not say where good begins."""
    return one.label is not False and all(one.steps or ()) and one.rating is None
