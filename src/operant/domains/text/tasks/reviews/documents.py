"""Reviews as documents: a mixture of sources that write differently, and clauses that annotators call toxic or fine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from operant.domains.text.tasks.reviews.gold import spans
from operant.domains.text.tasks.reviews.grammar import Request, Style, Traits, draw_review, draw_traits
from operant.schema import Document, Prompt


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where reviews come from. Names are words of the vocabulary, so a base can read them."""

    name: str
    weight: float  # share of the documents
    rude: float  # how often its writers are rude, relative to all documents
    register: tuple[float, float]  # range of its writers' register, -1 informal to 1 formal
    mood: float  # added to its writers' mood, which is -1 to 1
    style: Style


LOW, CLEAN = "grey radio", "white manual"
RUDE = 0.8  # share of insults in a rude writer's review
SOURCES = (
    Source(name=CLEAN, weight=0.14, rude=0.0, register=(0.3, 1.0), mood=0.1,
           style=Style(rambling=0.05, accuracy=0.95, relevance=0.85)),
    Source(name=LOW, weight=0.14, rude=3.5, register=(-1.0, 0.0), mood=-0.3,
           style=Style(rambling=0.5, accuracy=0.3, relevance=0.3)),
    Source(name="norway design", weight=0.12, rude=0.4, register=(-0.3, 1.0), mood=0.3, style=Style(rambling=0.1)),
    Source(name="japan camera", weight=0.12, rude=0.4, register=(-0.3, 0.8), mood=0.0, style=Style(accuracy=0.9)),
    Source(name="peru tent", weight=0.12, rude=0.6, register=(-1.0, 0.2), mood=0.5, style=Style(relevance=0.75)),
    Source(name="kenya service", weight=0.12, rude=0.8, register=(-0.6, 0.6), mood=0.0, style=Style(max_clauses=3)),
    Source(name="spain delivery", weight=0.12, rude=1.0, register=(-0.8, 0.4), mood=-0.5, style=Style()),
    Source(name="canada desk", weight=0.12, rude=1.05, register=(-1.0, 1.0), mood=0.0, style=Style(rambling=0.35)),
)  # fmt: skip


def draw_document(
    rng: Random, prompt: Prompt, request: Request, *, name: str, rudeness: float, noise: float, scored: bool
) -> Document:
    """A review of one source as a document; its text is the same whether scores are asked for or not.

    Args:
        rudeness: mean share of insults over all sources; a rude writer's clause is one with chance 0.8.
        noise: chance that an annotator calls a clause the opposite of what it is.
    """
    source = rng.choices(SOURCES, [one.weight for one in SOURCES])[0]
    text = draw_review(rng, request, _traits(rng, source, rudeness))
    clauses = text.removesuffix(" .").split(" . ")
    segments = tuple(f"{clause} . " for clause in clauses[:-1]) + (f"{clauses[-1]} .",)
    scores = tuple(_judged(rng, clause, request, noise) for clause in clauses)
    return Document(
        id=name, prompt=prompt, segments=segments, scores=scores if scored else None, source=source.name
    )  # fmt: skip


def _traits(rng: Random, source: Source, rudeness: float) -> Traits:
    drawn = draw_traits(rng, source.style)
    register = rng.uniform(*source.register)
    held_back = source.style.conflict * (register - drawn.register)  # the mood was drawn for the other register
    rude = rng.random() < source.rude * rudeness / RUDE
    return replace(
        drawn, register=register, mood=max(-1.0, min(1.0, drawn.mood + source.mood - held_back)),
        rudeness=RUDE if rude else 0.0,
    )  # fmt: skip


def _judged(rng: Random, clause: str, request: Request, noise: float) -> float:
    """1 for a clause called toxic, 0 for fine."""
    toxic = any(span.attribute == "toxicity" for span in spans(clause, request))
    return float(toxic != (rng.random() < noise))
