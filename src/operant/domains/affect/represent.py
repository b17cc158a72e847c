"""Replies on disk and on a page, and what is said of a set of them."""

from __future__ import annotations

from collections.abc import Sequence

from operant.data.represented import Properties
from operant.data.texts import dump, load, show
from operant.schema import Answer

__all__ = ["dump", "load", "properties", "show"]


def properties(answers: Sequence[Answer]) -> Properties:
    """Length in words; how many replies are different ones."""
    texts = [str(answer.value) for answer in answers]
    different = len(set(texts)) / len(texts) if texts else None
    return Properties(length=tuple(float(len(text.split())) for text in texts), diversity={"different": different})
