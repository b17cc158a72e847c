"""What users say next when a reply was good or bad, by facet of helpfulness; and how such a bank is read and checked.

The facets are those of Zhang et al. 2024, arXiv:2409.13948; the sentences are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from operant.disk import read_json
from operant.errors import OperantError, UnknownName, require

OVERALL = "overall"


class Lists(NamedTuple):
    """Of one facet: what a satisfied and what a dissatisfied user may say next. No sentence twice in a list."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]


Bank = dict[str, Lists]


def lists(positive: Sequence[str], negative: Sequence[str], *, name: str = OVERALL) -> Lists:
    """Both lists without repeats, which would weigh their sentence twice; an empty one is refused."""
    kept = Lists(*(tuple(dict.fromkeys(one.strip() for one in side if one.strip())) for side in (positive, negative)))
    for side, said in zip(Lists._fields, kept, strict=True):
        require(said, f"{side} follow-ups of {name}", "none", "at least one sentence")
    return kept


def read_bank(path: Path) -> Bank:
    """A JSON file: {"facet": {"positive": [...], "negative": [...]}, ...}."""
    return bank_of(read_json(path), source=str(path))


def bank_of(told: Any, *, source: str) -> Bank:
    """A bank from what such a file holds."""
    expected = '{"facet": {"positive": [...], "negative": [...]}}'
    if not isinstance(told, Mapping) or not told:
        raise OperantError(f"{source} holds no follow-ups; expected {expected}")
    found: Bank = {}
    for name, sides in told.items():
        sides = sides._asdict() if isinstance(sides, Lists) else sides
        if not isinstance(sides, Mapping) or set(sides) != set(Lists._fields):
            raise OperantError(f"{source}: facet {name!r} is no pair of lists; expected {expected}")
        found[str(name)] = lists(sides["positive"], sides["negative"], name=str(name))
    return found


def facet_of(bank: Bank, facet: str) -> Bank:
    """One facet of a bank, or all."""
    if facet == OVERALL:
        return bank
    if facet not in bank:
        raise UnknownName("facet", facet, (OVERALL, *bank))
    return {facet: bank[facet]}


FACETS: Bank = {
    "understanding": lists(
        (
            "Yes, that is exactly what I meant.", "You understood my question perfectly.",
            "You got what I was trying to say.", "Right, that is the point I was making.",
            "You read my mind, that was my question.", "Yes, you have understood my situation.",
            "That is just how I meant it.", "You grasped it straight away.",
            "I see that you know what I am asking.", "Yes, that is my problem in a nutshell.",
        ),
        (
            "That is not what I meant.", "I think you misunderstood my question.",
            "No, you missed the point of what I said.", "You did not get what I was asking.",
            "Let me say it again, you took it wrong.", "I meant something else entirely.",
            "Did you read what I wrote?", "You have the wrong idea of my situation.",
            "That is not the problem I have.", "I do not think you are following me.",
        ),
    ),
    "relevance": lists(
        (
            "Yes, that is the detail I was after.", "That is right to the point.",
            "This is just what I was looking for.", "That bears on my question, good.",
            "Great, you stayed with my topic.", "That is the part I needed to hear about.",
            "Exactly the thing I wanted to know.", "All of that matters for my case.",
            "That answers the question I asked.", "Good, nothing in there was beside the point.",
        ),
        (
            "That is about something else.", "This has nothing to do with my question.",
            "You are going off topic.", "Why are you telling me this?",
            "I did not ask about that.", "That does not answer what I asked.",
            "Please come back to my question.", "Most of that is beside the point.",
            "I cannot see how this is related.", "That is not the thing I wanted to know.",
        ),
    ),
    "correctness": lists(
        (
            "I checked, that is right.", "Yes, that is correct.",
            "That agrees with what I have read.", "I tried it and it works.",
            "That is true, I can confirm it.", "You have the facts right.",
            "My teacher says the same.", "The numbers add up.",
            "That solved it, just as you said.", "I looked it up and you are right.",
        ),
        (
            "I think this is wrong.", "That is not correct.",
            "I looked it up and it says otherwise.", "I tried that and it does not work.",
            "There is a mistake in what you said.", "You have the facts wrong.",
            "The numbers do not add up.", "Are you sure? That cannot be true.",
            "That contradicts what you said before.", "You made that up, did you not?",
        ),
    ),
    "engagingness": lists(
        (
            "That is interesting, tell me more.", "I could talk about this all day.",
            "What a lovely way to put it.", "You make this fun.",
            "Now I want to hear the rest.", "I am enjoying this conversation.",
            "Oh, I like how you think.", "That made me smile.",
            "I had never looked at it that way.", "Please go on, this is good.",
        ),
        (
            "This is boring.", "You sound like a machine.",
            "I do not want to talk about this any more.", "That was a dull answer.",
            "Can we change the subject?", "You keep saying the same thing.",
            "I am losing interest.", "Never mind, this is going nowhere.",
            "That felt cold to me.", "I would rather stop here.",
        ),
    ),
    "informativeness": lists(
        (
            "I learned a lot from that.", "Thanks, that is all the detail I need.",
            "That was very thorough.", "Now I know what to do next.",
            "You explained that clearly and fully.", "The examples helped a lot.",
            "I did not know that, good to hear.", "That tells me everything.",
            "So much useful information, thank you.", "That cleared it up for me.",
        ),
        (
            "That tells me nothing new.", "Can you be more specific?",
            "I knew all of that already.", "That is too vague to be of use.",
            "You left out the important part.", "I need more detail than that.",
            "And how am I supposed to do that?", "Could you give me an example at least?",
            "I still do not know what to do.", "That is hardly an answer.",
        ),
    ),
    "following": lists(
        (
            "You did it just the way I asked.", "Perfect, that is the format I wanted.",
            "You followed every one of my instructions.", "That is the right length, too.",
            "Yes, in the style I asked for.", "You kept to what I told you.",
            "Good, you did not add anything I had ruled out.", "That is all I asked for and nothing else.",
            "You answered every part of my request.", "Just as ordered.",
        ),
        (
            "I asked for a different format.", "You did not follow my instructions.",
            "I said to keep it short.", "That is not what I told you to do.",
            "You left out half of what I asked for.", "Please do it again, the way I said.",
            "I told you not to do that.", "You skipped the second part of my request.",
            "I wanted a list, not an essay.", "Why did you ignore what I said?",
        ),
    ),
}  # fmt: skip
