"""ROUGE-1, -2 and -L as F1 over lower-cased words. Source: Lin 2004, "ROUGE: a package for automatic evaluation"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def tokens(text: str) -> list[str]:
    """Runs of letters and digits; no stemming."""
    return re.findall(r"[^\W_]+", text.lower())


def rouge_n(text: str, reference: str, order: int) -> float:
    """2 x common n-grams / n-grams of both, with repeats; 0 where one has none."""
    ours, theirs = (Counter(_grams(tokens(one), order)) for one in (text, reference))
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(text: str, reference: str) -> float:
    """The same of the longest common subsequence of words."""
    ours, theirs = tokens(text), tokens(reference)
    row = [0] * (len(theirs) + 1)
    for word in ours:
        diagonal = 0
        for place, other in enumerate(theirs, 1):
            kept = row[place]
            row[place] = diagonal + 1 if word == other else max(row[place], row[place - 1])
            diagonal = kept
    return _f1(row[-1], len(ours), len(theirs))


def rouge_mean(text: str, reference: str) -> float:
    """Mean of ROUGE-1, -2 and -L, 0 to 1."""
    return (rouge_n(text, reference, 1) + rouge_n(text, reference, 2) + rouge_l(text, reference)) / 3


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]


def _f1(common: int, ours: int, theirs: int) -> float:
    return 2 * common / (ours + theirs) if ours + theirs else 0.0
