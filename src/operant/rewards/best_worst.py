"""Pairs from a policy's own answers: the best against the worst by a score."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from operant.disk import answer_seed
from operant.schema import Answer, Pair, Prompt, Score


class Mined(NamedTuple):
    """Pairs, and how many prompts gave none."""

    pairs: list[Pair]
    dropped: int


def mined(
    prompts: Sequence[Prompt], drawn: Sequence[Sequence[Answer]], scores: Sequence[Sequence[Score]], *,
    least: float = 0.0,
) -> Mined:  # fmt: skip
    """The answer with the highest score against that with the lowest; of equals the first. Unknown scores take no part.

    No pair where both are the same text, or their scores are equal or less than `least` apart.
    """
    pairs = []
    for prompt, answers, told in zip(prompts, drawn, scores, strict=True):
        known = [(one.value, answer) for one, answer in zip(told, answers, strict=True) if one.value is not None]
        if not known:
            continue
        high, low = max(known, key=lambda one: one[0]), min(known, key=lambda one: one[0])
        apart = high[0] - low[0]
        if apart > 0 and apart >= least and high[1].value != low[1].value:
            pairs.append(Pair(prompt=prompt, chosen=high[1], rejected=low[1]))
    return Mined(pairs, len(prompts) - len(pairs))


def by_lot(prompts: Sequence[Prompt], drawn: Sequence[Sequence[Answer]], *, seed: int) -> Mined:
    """Two different answers at random: what is left of mining without its score."""
    pairs = []
    for prompt, answers in zip(prompts, drawn, strict=True):
        texts = {str(answer.value): answer for answer in answers}
        if len(texts) > 1:
            one, two = Random(answer_seed(seed, "lot", prompt.id)).sample(sorted(texts), 2)
            pairs.append(Pair(prompt=prompt, chosen=texts[one], rejected=texts[two]))
    return Mined(pairs, len(prompts) - len(pairs))
