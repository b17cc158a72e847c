"""The probabilistic grammar of product reviews: latent traits first, then clauses.

A prompt names an item, two facts about it and two aspects to mention. A review is a list of clauses: opinions, facts,
insults, filler. Everything is a lower-case word, so a word-level tokenizer reads it without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

ITEMS = (
    "kettle", "lamp", "chair", "phone", "tent", "radio", "clock", "blender", "camera", "jacket", "mattress",
    "printer", "guitar", "bike", "toaster", "desk",
)  # fmt: skip
ASPECTS = ("build", "noise", "design", "delivery", "service", "smell", "weight", "comfort", "battery", "manual")
FACTS: dict[str, tuple[str, ...]] = {
    "price": ("10", "20", "35", "50", "80", "120"),
    "colour": ("red", "blue", "green", "black", "white", "grey"),
    "origin": ("norway", "spain", "japan", "kenya", "peru", "canada"),
}
# Register first, then valence: one word carries both, which is what makes the two attributes conflict mildly.
OPINIONS: dict[int, dict[int, tuple[str, ...]]] = {
    1: {2: ("exquisite", "superlative"), 1: ("satisfactory", "agreeable"),
        -1: ("deficient", "unsatisfactory"), -2: ("deplorable", "abysmal")},
    0: {2: ("superb", "excellent"), 1: ("good", "nice"), -1: ("poor", "weak"), -2: ("awful", "dreadful")},
    -1: {2: ("ace", "epic"), 1: ("decent", "comfy"), -1: ("naff", "meh"), -2: ("rubbish", "lousy")},
}  # fmt: skip
VALENCE = {word: valence for words in OPINIONS.values() for valence, many in words.items() for word in many}
REGISTER = {word: register for register, words in OPINIONS.items() for many in words.values() for word in many}
TOXIC = ("idiot", "moron", "scum", "liar")
INSULTS = ("the seller is a {}", "only a {} would buy it", "whoever made it is {}")
FILLERS = (
    "by the way my cousin came over on sunday", "anyway what can i say about all that", "we had soup and then some tea",
    "it rained for most of the week", "my old one was not the same as this one", "so there you have it and so on",
)  # fmt: skip


class Request(NamedTuple):
    """What a prompt asks for."""

    item: str
    facts: tuple[tuple[str, str], ...]  # (slot, true value)
    aspects: tuple[str, ...]  # to be mentioned

    def text(self) -> str:
        facts = " , ".join(f"{slot} {value}" for slot, value in self.facts)
        return f"review the {self.item} ( {facts} ) and mention {' and '.join(self.aspects)} :"


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Latent traits of one review; probabilities unless said otherwise."""

    mood: float  # -1 .. 1, expected valence
    register: float  # -1 informal .. 1 formal
    relevance: float  # an opinion is about a requested aspect
    accuracy: float  # a stated fact is true
    rudeness: float  # a clause is an insult
    rambling: float  # a clause is filler
    clauses: int


@dataclass(frozen=True, kw_only=True)
class Style:
    """How traits are spread over writers: the grammar's knobs."""

    conflict: float = 0.5  # how much formal writers hold back praise; 0 makes mood and register independent
    rudeness: float = 0.06  # mean share of insults
    rambling: float = 0.22  # mean share of filler
    accuracy: float = 0.7
    relevance: float = 0.6
    max_clauses: int = 4


def draw_request(rng: Random) -> Request:
    slots = sorted(rng.sample(sorted(FACTS), 2))
    facts = tuple((slot, rng.choice(FACTS[slot])) for slot in slots)
    return Request(rng.choice(ITEMS), facts, tuple(sorted(rng.sample(ASPECTS, 2))))


def draw_traits(rng: Random, style: Style) -> Traits:
    register = rng.uniform(-1, 1)
    return Traits(
        mood=max(-1.0, min(1.0, rng.gauss(0.0, 0.6) - style.conflict * register)),
        register=register,
        relevance=_spread(rng, style.relevance),
        accuracy=_spread(rng, style.accuracy),
        rudeness=style.rudeness * 4 if rng.random() < 0.25 else 0.0,
        rambling=_spread(rng, style.rambling),
        clauses=rng.randint(2, style.max_clauses),
    )


def _spread(rng: Random, mean: float) -> float:
    """A Beta draw with this mean: most writers sit to one side."""
    return rng.betavariate(3 * mean, 3 * (1 - mean))


def draw_review(rng: Random, request: Request, traits: Traits) -> str:
    """A review as text; clauses end in a full stop."""
    facts = list(request.facts)
    rng.shuffle(facts)
    clauses = []
    for _ in range(traits.clauses):
        roll = rng.random()
        if roll < traits.rudeness:
            clauses.append(rng.choice(INSULTS).format(rng.choice(TOXIC)))
        elif roll < traits.rudeness + traits.rambling:
            clauses.append(rng.choice(FILLERS))
        elif facts and rng.random() < 0.3:
            clauses.append(state(*_perhaps_wrong(rng, *facts.pop(), traits.accuracy)))
        else:
            clauses.append(_opinion(rng, request, traits))
    return " . ".join(clauses) + " ."


def state(slot: str, value: str) -> str:
    """The clause that states a fact."""
    return {"price": f"it costs {value}", "colour": f"it is {value}", "origin": f"it comes from {value}"}[slot]


def _perhaps_wrong(rng: Random, slot: str, value: str, accuracy: float) -> tuple[str, str]:
    if rng.random() < accuracy:
        return slot, value
    return slot, rng.choice([other for other in FACTS[slot] if other != value])


def _opinion(rng: Random, request: Request, traits: Traits) -> str:
    asked = rng.random() < traits.relevance
    aspect = rng.choice(request.aspects if asked else ASPECTS)
    register = _nearest(rng.gauss(traits.register, 0.4), (-1, 0, 1))
    valence = _nearest(rng.gauss(2 * traits.mood, 0.7), (-2, -1, 1, 2))
    return f"the {aspect} is {rng.choice(OPINIONS[register][valence])}"


def _nearest(value: float, choices: tuple[int, ...]) -> int:
    return min(choices, key=lambda choice: abs(choice - value))


def vocabulary() -> list[str]:
    """Every word of prompts and reviews, in a fixed order."""
    texts = [Request(item, (("price", "10"), ("colour", "red")), ASPECTS).text() for item in ITEMS]
    texts += [f"{slot} {state(slot, value)}" for slot, values in FACTS.items() for value in values]
    texts += [f"the {word} is ." for word in (*ASPECTS, *VALENCE)]
    texts += [insult.format(word) for insult in INSULTS for word in TOXIC] + list(FILLERS)
    return sorted({word for text in texts for word in text.split()})
