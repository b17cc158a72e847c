"""Emotions as vectors: by a small lexicon of valence, arousal and dominance, or eight scores that a model is asked for.

Zero is neutral. The eight are Plutchik's; a model's scores are 1 to 10 and 1 means none, so 1 is taken off: otherwise
all vectors point the same way, and their cosines say little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

Vector = tuple[float, ...]
PLUTCHIK = ("joy", "acceptance", "fear", "surprise", "sadness", "disgust", "anger", "anticipation")
FLOOR, CEILING = 1.0, 10.0
# Valence, arousal, dominance, -1 to 1: our own rough values.
LEXICON: dict[str, tuple[float, float, float]] = {
    "happy": (0.9, 0.4, 0.5), "glad": (0.8, 0.3, 0.4), "joy": (0.9, 0.5, 0.5), "proud": (0.8, 0.4, 0.8),
    "calm": (0.5, -0.7, 0.4), "relaxed": (0.6, -0.7, 0.3), "hope": (0.6, 0.2, 0.3), "hopeful": (0.6, 0.2, 0.3),
    "love": (0.9, 0.4, 0.3), "grateful": (0.8, 0.1, 0.2), "excited": (0.8, 0.9, 0.5), "good": (0.6, 0.1, 0.3),
    "better": (0.5, 0.1, 0.3), "thanks": (0.6, 0.1, 0.2), "thank": (0.6, 0.1, 0.2), "great": (0.8, 0.4, 0.5),
    "sad": (-0.8, -0.5, -0.5), "lonely": (-0.7, -0.4, -0.6), "alone": (-0.6, -0.4, -0.5), "cry": (-0.7, 0.2, -0.6),
    "depressed": (-0.9, -0.6, -0.7), "depression": (-0.9, -0.6, -0.7), "hopeless": (-0.9, -0.3, -0.8),
    "tired": (-0.4, -0.8, -0.4), "lost": (-0.6, -0.2, -0.6), "hurt": (-0.8, 0.2, -0.5), "grief": (-0.9, -0.2, -0.6),
    "afraid": (-0.7, 0.7, -0.7), "scared": (-0.7, 0.7, -0.7), "fear": (-0.7, 0.7, -0.7), "anxious": (-0.6, 0.7, -0.6),
    "anxiety": (-0.6, 0.7, -0.6), "worried": (-0.6, 0.5, -0.5), "nervous": (-0.5, 0.7, -0.5),
    "stress": (-0.6, 0.6, -0.4), "stressed": (-0.6, 0.6, -0.4), "overwhelmed": (-0.7, 0.6, -0.7),
    "angry": (-0.6, 0.8, 0.5), "anger": (-0.6, 0.8, 0.5), "furious": (-0.8, 0.9, 0.6), "mad": (-0.6, 0.7, 0.4),
    "hate": (-0.8, 0.6, 0.3), "annoyed": (-0.5, 0.5, 0.3), "upset": (-0.7, 0.4, -0.2), "unfair": (-0.6, 0.4, 0.0),
    "ashamed": (-0.7, 0.1, -0.7), "guilty": (-0.7, 0.2, -0.5), "shame": (-0.7, 0.1, -0.7),
    "disgusted": (-0.7, 0.4, 0.2), "restless": (-0.3, 0.7, 0.2), "bad": (-0.6, 0.1, -0.3), "awful": (-0.8, 0.3, -0.4),
}  # fmt: skip
REQUEST = (
    "Rate how strongly each of these emotions is expressed by the speaker of the text, from 1 (not at all) to 10: "
    f"{', '.join(PLUTCHIK)}. Answer with one JSON object.\n\nText: {{text}}\n\nJSON:"
)


def by_lexicon(text: str) -> Vector | None:
    """Mean over the words that the lexicon knows; None where it knows none."""
    known = [LEXICON[word] for word in re.findall(r"[a-z]+", text.lower()) if word in LEXICON]
    return tuple(sum(side) / len(known) for side in zip(*known, strict=True)) if known else None


def read_scores(reply: str) -> Vector | None:
    """Eight scores less 1 from a reply that holds a JSON object; what it leaves out is 1, none at all. None where there
    is no such object, or nothing in it is above 1.
    """
    found = re.search(r"\{[^{}]*\}", reply)
    try:
        told = json.loads(found.group()) if found else None
    except json.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    values = {str(name).lower(): value for name, value in told.items() if type(value) in (int, float)}
    scores = tuple(min(CEILING, max(FLOOR, float(values.get(name, FLOOR)))) - FLOOR for name in PLUTCHIK)
    return scores if any(scores) else None


def centred(vectors: Sequence[Vector]) -> list[Vector]:
    """Less the mean over the bank."""
    means = [sum(side) / len(vectors) for side in zip(*vectors, strict=True)]
    return [tuple(value - mean for value, mean in zip(one, means, strict=True)) for one in vectors]
