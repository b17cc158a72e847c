"""Pairs as what the two trainings read: rated answers, and preferences with a strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from operant.data.cut import cut_ids
from operant.data.strength import STRONGEST
from operant.errors import NotApplicable, OperantError, require
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Bench, Pair
from operant.training.pairs import PairRow, pair_rows


class RatedRow(NamedTuple):
    """One answer and its rating, which one output of the head is for."""

    encoded: Encoded
    rating: float
    output: int


def rated_rows(bench: Bench, pairs: Sequence[Pair], names: Sequence[str]) -> list[RatedRow]:
    """Both answers of every rated pair; then those of pairs about each attribute, for outputs of their own."""
    kinds = [pairs, *(bench.task.pairs("train", attribute=name) for name in names)]
    rows = [row for output, kind in enumerate(kinds) for pair in kind for row in _rated(bench, pair, output)]
    if not rows:
        raise NotApplicable(
            f"the {len(pairs)} pairs of {bench.task.name} carry no ratings to learn; give score_chosen and "
            "score_rejected (score_1 and score_2), or start=base"
        )
    return rows


def _rated(bench: Bench, pair: Pair, output: int) -> list[RatedRow]:
    if pair.ratings is None:
        return []
    return [RatedRow(one, rating, output) for one, rating in zip(both(bench, pair), pair.ratings, strict=True)]


def both(bench: Bench, pair: Pair) -> list[Encoded]:
    """Chosen and rejected answer as ids, each cut on its own, as a reward model reads them later."""
    tokenizer: Any = bench.base.tokenizer
    prompt, found = encode_prompt(tokenizer, pair.prompt), []
    for answer in (pair.chosen, pair.rejected):
        kept = cut_ids(prompt, encode_answer(tokenizer, answer), bench.max_length)
        found.append(Encoded(tuple(kept.prompt), tuple(kept.answer)))
    return found


def preference_rows(bench: Bench, pairs: Sequence[Pair], *, graded: bool) -> list[PairRow]:
    """Pairs without near ties, which ratings may still be learnt from.

    `graded`: their strengths will be read, so they are checked, before anything is run.
    """
    kept = [pair for pair in pairs if pair.margin != 0]
    if not kept:
        raise OperantError(f"all {len(pairs)} preferences have strength 0: there is nothing to prefer")
    for pair in kept if graded else ():
        if pair.margin is None:
            raise NotApplicable(
                f"this loss reads how strong a preference is, and the pair of prompt {pair.prompt.id!r} does "
                "not say; give preference_strength or margin, or loss=regular"
            )
        whole = pair.margin == round(pair.margin) and 0 < pair.margin <= STRONGEST
        require(whole, f"strength of prompt {pair.prompt.id!r}", pair.margin, f"a whole number from 0 to {STRONGEST}")
    return pair_rows(bench.base.tokenizer, kept, max_length=bench.max_length)
