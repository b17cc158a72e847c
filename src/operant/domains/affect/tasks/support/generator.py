"""Support dialogues: what troubles a seeker, in which mood, and what a character does about it in such a mood.

A mood is a point in valence, arousal and dominance, each -1 to 1. A character copes with a topic in one way while in a
high mood and in another while in a low one: what it remembers of the other mood misleads.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

VAD = tuple[float, float, float]
# By side: what is done while moods of that side last differs from what is done in the other's.
MOODS: dict[str, dict[str, VAD]] = {
    "low": {
        "sad": (-0.8, -0.5, -0.5), "lonely": (-0.7, -0.4, -0.6), "tired": (-0.4, -0.8, -0.4),
        "hopeless": (-0.9, -0.3, -0.8),
    },
    "high": {
        "angry": (-0.6, 0.8, 0.5), "furious": (-0.8, 0.9, 0.6), "annoyed": (-0.5, 0.5, 0.3),
        "restless": (-0.3, 0.7, 0.2),
    },
}  # fmt: skip
EMOTIONS = {word: vad for moods in MOODS.values() for word, vad in moods.items()}
SIDE = {word: side for side, moods in MOODS.items() for word in moods}
TOPICS = (
    "work", "school", "money", "sleep", "family", "health", "love", "moving", "exams", "neighbours", "noise", "debts",
)  # fmt: skip
WAYS = (
    "walk", "write", "cook", "sing", "run", "pray", "draw", "clean", "read", "swim", "garden", "dance", "knit", "call",
    "breathe", "wait",
)  # fmt: skip
ROLES = ("ada", "ben", "cleo", "dan", "eva", "finn")


@dataclass(frozen=True, kw_only=True)
class Style:
    """The generator's knobs."""

    memories: int = 24  # that a character has of each topic
    congruence: float = 0.9  # share of them that show what the character does in their mood; the rest show anything
    mood_matters: bool = True  # False: a character does the same in every mood, and moods are mere noise


class Character(NamedTuple):
    """What somebody does, by topic and side of the mood."""

    role: str
    ways: dict[tuple[str, str], str]


class Memory(NamedTuple):
    """Something a character once said."""

    topic: str
    mood: str
    way: str

    def text(self) -> str:
        return f"when {self.topic} left me {self.mood} i did {self.way} ."


def question(topic: str, mood: str) -> str:
    """What an interviewer asks."""
    return f"{topic} left me {mood} . what did you do ? i did"


def draw_character(rng: Random, role: str, style: Style) -> Character:
    """Two different ways for each topic, one for each side; the same one where moods do not matter."""
    ways: dict[tuple[str, str], str] = {}
    for topic in TOPICS:
        low, high = rng.sample(WAYS, 2)
        ways |= {(topic, "low"): low, (topic, "high"): high if style.mood_matters else low}
    return Character(role, ways)


def draw_memory(rng: Random, one: Character, topic: str, style: Style) -> Memory:
    mood = rng.choice(list(EMOTIONS))
    way = one.ways[topic, SIDE[mood]] if rng.random() < style.congruence else rng.choice(WAYS)
    return Memory(topic, mood, way)


def training_row(rng: Random) -> tuple[str, str]:
    """What the base learns: to do what the remembered did, as often as they did it; with no memory, anything."""
    count = rng.choice((0, 2, 4, 6, 8, 10, 10))
    topic, mood = rng.choice(TOPICS), rng.choice(list(EMOTIONS))
    ways = rng.sample(WAYS, rng.choice((1, 2, 2, 3)))
    shown = [Memory(topic, rng.choice(list(EMOTIONS)), rng.choice(ways)) for _ in range(count)]
    way = rng.choice(shown).way if shown else rng.choice(WAYS)
    texts = [*(one.text() for one in shown), question(topic, mood)]
    return "\n\n".join(texts), f"{way} ."


def vocabulary() -> list[str]:
    """Every word of memories, questions and answers, in a fixed order."""
    words = {*question("work", "sad").split(), *Memory("work", "sad", "walk").text().split()}
    return sorted(words | {*TOPICS, *EMOTIONS, *WAYS, *ROLES})
