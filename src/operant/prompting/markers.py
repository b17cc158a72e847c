"""Expressions of certainty and uncertainty, verbatim, with their linguistic tags.

Source: Zhou et al. 2023, arXiv:2302.13439, table of templates as released; "Rumor says it it's" is as they have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from operant.errors import UnknownName

Strength = Literal["strengthener", "weakener", "none"]
NONE = ""  # the text of no marker at all


@dataclass(frozen=True, slots=True)
class Marker:
    """What stands between the cue of an answer and the answer."""

    text: str
    strength: Strength = "none"
    shield: bool = False  # plausibility shield: the doubt is the speaker's
    evidential: bool = False  # says where the knowledge comes from
    factive: bool = False  # presupposes that it is true
    source: bool = False  # names an authority
    pronoun: bool = False  # I, we or me
    negated: bool = False  # says that it is not so; kept out of every analysis


_KIND: dict[str, Strength] = {"w": "weakener", "s": "strengthener", "n": "none"}
_TAGS = {"p": "shield", "e": "evidential", "f": "factive", "a": "source", "i": "pronoun", "!": "negated"}
# Kind and tags before the markers that have them, in the order of the release.
_LISTED = (
    ("npi!", ("I don't think it's", "I seriously doubt it's")),
    ("wp", ("It could be", "Considering all the options it's", "It probably is", "Maybe it's", "Perhaps it's")),
    ("wpi", ("I don't know maybe it's", "I suppose it's", "I would need to double check but maybe it's",
             "I wouldn't put money on it but maybe it's", "I'm not an expert but maybe it's", "I think it's",
             "I feel like it should be")),
    ("wp", ("It should be",)),
    ("wpei", ("To the best of my knowledge it's", "As far as I'm aware it's", "I vaguely remember it's")),
    ("n", ("It's", NONE)),
    ("sf", ("It must be",)),
    ("si", ("I'm certain it's",)),
    ("s", ("Undoubtedly it's",)),
    ("sfi", ("We realize it's", "We understand it's", "We know it's")),
    ("si", ("I am 100% sure it's",)),
    ("s", ("With 100% confidence it's",)),
    ("wea", ("Wikipedia suggests it's", "Online says it's", "The internet says it's", "Wikipedia claims it's",
             "Wikipedia says it's")),
    ("weai", ("I read on the internet it's", "I read on Wikipedia it's", "I read online it's")),
    ("we", ("Apparently it's",)),
    ("w", ("Presumably it's",)),
    ("we", ("Rumor says it it's",)),
    ("wei", ("I was told it's", "I've heard it's", "They told me it's")),
    ("we", ("Allegedly it's",)),
    ("sfea", ("The most recent evidence shows it's", "The rules state it's", "Two recent studies demonstrate it's",
              "Wikipedia acknowledges it's", "Wikipedia confirms it's")),
    ("sfeai", ("Our lab has shown it's",)),
    ("sea", ("According to the latest research it's",)),
    ("seai", ("We can see in the textbook that it's",)),
    ("sfe", ("It is known that it's",)),
    ("se", ("Evidently it's",)),
)  # fmt: skip


def _marker(tags: str, text: str) -> Marker:
    return Marker(text, _KIND[tags[0]], **{_TAGS[tag]: True for tag in tags[1:]})


MARKERS = tuple(_marker(tags, text) for tags, texts in _LISTED for text in texts)
ANALYSED = tuple(one for one in MARKERS if not one.negated)  # with "It's" and no marker at all
STRONG = tuple(one for one in MARKERS if one.strength == "strengthener")
WEAK = tuple(one for one in MARKERS if one.strength == "weakener")
# What the base of the task `forum` has read: short ones of every kind.
READ = (
    "I think it's", "Maybe it's", "Perhaps it's", "I suppose it's", "Apparently it's", "I read online it's",
    "It must be", "I'm certain it's", "Undoubtedly it's", "We know it's", "Evidently it's", "Wikipedia confirms it's",
)  # fmt: skip
TAGS = ("strength", "factive", "evidential", "source", "pronoun", "shield")


def marker(text: str) -> Marker:
    """A marker by its text."""
    known = {one.text: one for one in MARKERS}
    if text not in known:
        raise UnknownName("marker", text, known)
    return known[text]


def sides(tag: str) -> tuple[tuple[Marker, ...], tuple[Marker, ...]]:
    """The markers that have a tag and those that have not; for "strength" strengtheners and weakeners.

    Markers without strength ("It's", none) are on neither side.
    """
    if tag == "strength":
        return STRONG, WEAK
    if tag not in TAGS:
        raise UnknownName("tag of markers", tag, TAGS)
    both = (*WEAK, *STRONG)
    return tuple(one for one in both if getattr(one, tag)), tuple(one for one in both if not getattr(one, tag))
