"""A text answer on disk and on a page, and what is said of a set of them."""

from __future__ import annotations

from collections.abc import Sequence

from operant.data.represented import Properties
from operant.data.texts import dump, load, show
from operant.domains.text.metrics import distinct, self_bleu, words
from operant.schema import Answer

__all__ = ["dump", "load", "properties", "show"]


def properties(answers: Sequence[Answer]) -> Properties:
    """Length in words; distinct n-grams and self-BLEU of the set."""
    texts = [str(answer.value) for answer in answers]
    return Properties(
        length=tuple(float(len(words(text))) for text in texts),
        diversity={"distinct_1": distinct(texts, 1), "distinct_2": distinct(texts, 2), "self_bleu": self_bleu(texts)},
    )
