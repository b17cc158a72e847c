"""A hint in a prompt, where it stands, and where hints come from: sentences to try, and keywords of a text.

Source: Li et al. 2023, arXiv:2302.11520; TextRank by Mihalcea and Tarau 2004.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Literal

from operant.prompting.edits import after_instruction, with_text
from operant.schema import Prompt

Place = Literal["instruction", "line"]
SEPARATOR = ";"
# Sentences that lead into an answer. Source: Kojima et al. 2022, arXiv:2205.11916, table 4.
TRIGGERS = (
    "Let's think step by step.", "First,", "Let's think about this logically.",
    "Let's solve this problem by splitting it into steps.", "Let's be realistic and think step by step.",
    "Let's think like a detective step by step.", "Let's think", "Before we dive into the answer,",
    "The answer is after the proof.",
)  # fmt: skip
STOP = frozenset(
    "a an the and or but if of in on at to for from by with about as is are was were be been being it its this that "
    "these those he she they we you i his her their our your my not no do does did have has had will would can could "
    "should may might must so than then there here what which who whom when where why how all any both each few more "
    "most other some such only own same too very s t just don now".split()
)
LEAST = 3  # characters of a keyword: single letters and the like are in every text
DAMPING, STEPS, WINDOW = 0.85, 30, 4


def with_hint(prompt: Prompt, hint: str, *, place: Place, label: str = "Keywords:") -> Prompt:
    """The prompt with a hint behind its instruction, or on a line of its own before the last; an empty hint changes
    nothing, byte for byte.
    """
    hint = hint.strip()
    if not hint:
        return prompt
    if place == "instruction":
        return after_instruction(prompt, hint)

    def change(text: str) -> str:
        before, line, last = text.rpartition("\n")
        return f"{before}{line}{label} {hint}\n{last}"

    return with_text(prompt, change)


def usable(word: str) -> bool:
    """Whether a keyword says something: long enough, and no stop word."""
    return len(word) >= LEAST and word not in STOP


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", text.lower())


def ranked(text: str) -> list[str]:
    """Words by TextRank over those that stand within four words of each other, the most central first."""
    words = [word for word in words_of(text) if usable(word)]
    near: dict[str, Counter[str]] = defaultdict(Counter)
    for place, word in enumerate(words):
        for other in words[place + 1 : place + WINDOW]:
            if other != word:
                near[word][other] += 1
                near[other][word] += 1
    scores = dict.fromkeys(words, 1.0)
    for _ in range(STEPS):
        scores = {
            word: 1 - DAMPING + DAMPING * sum(
                scores[other] * count / near[other].total() for other, count in near[word].items()
            )
            for word in scores
        }  # fmt: skip
    first = {word: place for place, word in reversed(list(enumerate(words)))}
    return sorted(scores, key=lambda word: (-round(scores[word], 9), first[word]))


def keywords(text: str, reference: str, *, most: int = 10) -> str:
    """Central words of a text that its reference has too, joined by `; `: a pseudo-hint."""
    wanted = set(words_of(reference))
    return f"{SEPARATOR} ".join([word for word in ranked(text) if word in wanted][:most])
