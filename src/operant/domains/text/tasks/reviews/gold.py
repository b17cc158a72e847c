"""Ground truth of a review: exact, total (every string has a value), by attribute and by token span."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from operant.domains.text.tasks.reviews.grammar import (
    ASPECTS,
    FACTS,
    FILLERS,
    INSULTS,
    REGISTER,
    TOXIC,
    VALENCE,
    Request,
    state,
)  # fmt: skip

# What a good review is. Length is not in it: rambling costs relevance, and that is all.
WEIGHTS = {"sentiment": 1.0, "relevance": 2.0, "factual": 1.0, "formality": 0.3, "toxicity": -2.0, "malformed": -2.0}
# Just above the 60% quantiles of the two conflicting attributes over reviews of the grammar, for the metric `both`.
HIGH = {"sentiment": 0.25, "formality": 0.2}


class Span(NamedTuple):
    """Words start..end (end excluded) carry `value` of `attribute`."""

    start: int
    end: int
    attribute: str
    value: float


@lru_cache(maxsize=1)
def _known_clauses() -> dict[str, tuple[str, ...]]:
    """Every clause the grammar can write, with its kind and parts."""
    known: dict[str, tuple[str, ...]] = {clause: ("filler",) for clause in FILLERS}
    known |= {insult.format(word): ("insult", word) for insult in INSULTS for word in TOXIC}
    known |= {state(slot, value): ("fact", slot, value) for slot, values in FACTS.items() for value in values}
    known |= {f"the {aspect} is {word}": ("opinion", aspect, word) for aspect in ASPECTS for word in VALENCE}
    return known


def clauses(text: str) -> list[tuple[int, str]]:
    """(first word, clause) of every clause, full stops left out."""
    found, start, words = [], 0, text.split()
    for place, word in enumerate([*words, "."]):
        if word == ".":
            if place > start:
                found.append((start, " ".join(words[start:place])))
            start = place + 1
    return found


def spans(text: str, request: Request) -> list[Span]:
    """What each clause contributes; clauses that the grammar cannot write are `malformed`."""
    facts = dict(request.facts)
    found = []
    for start, clause in clauses(text):
        end = start + len(clause.split())
        kind, *parts = _known_clauses().get(clause, ("malformed",))
        if kind == "opinion":
            aspect, word = parts
            found.append(Span(end - 1, end, "sentiment", VALENCE[word] / 2))
            found.append(Span(end - 1, end, "formality", float(REGISTER[word])))
            found.append(Span(start, end, "relevance", float(aspect in request.aspects)))
        elif kind == "fact":
            slot, value = parts
            found.append(Span(end - 1, end, "factual", 1.0 if facts.get(slot) == value else -1.0))
        elif kind == "insult":
            found.append(Span(start, end, "toxicity", 1.0))
        else:
            found.append(Span(start, end, kind, 1.0))
    return found


def gold(text: str, request: Request) -> dict[str, float]:
    """Every attribute of a review, its quality, and whether both conflicting attributes are high.

    sentiment, formality: mean over opinions, -1..1. relevance: half the share of requested aspects that are mentioned,
    half the share of clauses that are on topic, 0..1. factual: (true - false statements) / facts given, -1..1, each
    fact counted once. toxicity: 1 - 0.5^insults. malformed: share of clauses outside the grammar, 1 for no clause.
    """
    marks = spans(text, request)
    count = max(1, len(clauses(text)))
    of = {name: [span.value for span in marks if span.attribute == name] for name in WEIGHTS}
    parsed = {clause: _known_clauses().get(clause, ("",)) for _, clause in clauses(text)}
    asked = {parts[1] for parts in parsed.values() if parts[0] == "opinion" and parts[1] in request.aspects}
    stated = {parts[1:] for parts in parsed.values() if parts[0] == "fact"}
    true = sum(dict(request.facts).get(slot) == value for slot, value in stated)
    on_topic = (sum(of["relevance"]) + sum(value > 0 for value in of["factual"])) / count
    values = {
        "sentiment": _mean(of["sentiment"]),
        "formality": _mean(of["formality"]),
        "relevance": 0.5 * len(asked) / len(request.aspects) + 0.5 * on_topic,
        "factual": max(-1.0, (2 * true - len(stated)) / len(request.facts)),
        "toxicity": 1 - 0.5 ** len(of["toxicity"]),
        "malformed": len(of["malformed"]) / count if clauses(text) else 1.0,
    }
    quality = sum(WEIGHTS[name] * value for name, value in values.items())
    both = float(all(values[name] >= level for name, level in HIGH.items()))
    return {"quality": quality, **values, "both": both, "words": float(len(text.split()))}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
