"""Properties of text answers: length, distinct n-grams, self-BLEU. Set-level ones take all answers of one seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def words(text: str) -> list[str]:
    return text.split()


def distinct(texts: Sequence[str], order: int) -> float | None:
    """Different n-grams over all n-grams (Li et al. 2016, arXiv:1510.03055); None where there are none."""
    grams = [gram for text in texts for gram in _grams(words(text), order)]
    return len(set(grams)) / len(grams) if grams else None


def self_bleu(texts: Sequence[str], *, order: int = 4, references: int = 50) -> float | None:
    """Mean BLEU of each text against the others (Zhu et al. 2018, arXiv:1802.01886); 1 when all are the same.

    Uniform weights over 1..order-grams, brevity penalty against the nearest length, add-one smoothing above unigrams.
    At most `references` other texts are used, those that follow in order, so that cost stays linear.
    """
    if len(texts) < 2:
        return None
    split = [words(text) for text in texts]
    counts = [[Counter(_grams(text, n)) for n in range(1, order + 1)] for text in split]
    total = 0.0
    for place in range(len(split)):
        others = [(place + step) % len(split) for step in range(1, min(references, len(split) - 1) + 1)]
        total += _bleu(place, others, split, counts)
    return total / len(split)


def _bleu(place: int, others: list[int], split: list[list[str]], counts: list[list[Counter[tuple[str, ...]]]]) -> float:
    length = len(split[place])
    if not length:
        return 0.0
    logs = 0.0
    for n, grams in enumerate(counts[place]):
        most: Counter[tuple[str, ...]] = Counter()
        for other in others:
            most |= counts[other][n]
        hits = sum(min(count, most[gram]) for gram, count in grams.items())
        smooth = 1 if n else 0
        total = sum(grams.values()) + smooth
        if not hits + smooth:
            return 0.0
        logs += math.log((hits + smooth) / total) if total else 0.0
    nearest = min((len(split[other]) for other in others), key=lambda size: (abs(size - length), size))
    return math.exp(min(0.0, 1 - nearest / length) + logs / len(counts[place]))


def _grams(tokens: list[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1)]
