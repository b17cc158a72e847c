"""Sentences that are added to a prompt, verbatim, with a name and a theory.

Source of EMOTIONAL: Li et al. 2023, arXiv:2307.11760, with straight apostrophes, which tokenise differently from curly
ones; EP06-long is the wording that promptbench ships.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from operant.errors import UnknownName, require

NONE = "none"  # the id of no sentence at all
MONITORING, COGNITIVE, REGULATION = "self-monitoring", "social-cognitive", "cognitive-emotion-regulation"


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One sentence or a few."""

    id: str
    text: str
    theories: tuple[str, ...] = ()


class StimulusSet:
    """Stimuli by id, in order. `A+B` names the texts of A and B with a single space between them."""

    def __init__(self, stimuli: tuple[Stimulus, ...]):
        self._known = {one.id: one for one in stimuli}
        require(len(self._known) == len(stimuli), "stimuli", [one.id for one in stimuli], "each id once")

    def __iter__(self) -> Iterator[Stimulus]:
        return iter(self._known.values())

    def __getitem__(self, name: str) -> Stimulus:
        if name not in self._known:
            raise UnknownName("stimulus", name, [*self._known, NONE])
        return self._known[name]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._known)

    def text(self, name: str) -> str:
        """The exact words of an id, of ids joined by +, or of "none", which has none."""
        return "" if name == NONE else " ".join(self[part].text for part in name.split("+"))

    def of_theory(self, theory: str) -> tuple[str, ...]:
        """Ids of the stimuli that are built on a theory."""
        found = tuple(one.id for one in self if theory in one.theories)
        if not found:
            raise UnknownName("theory", theory, {name for one in self for name in one.theories})
        return found


_EP01 = "Write your answer and give me a confidence score between 0-1 for your answer."
_EP02 = "This is very important to my career."
_EP03 = "You'd better be sure."
_FINAL = "Are you sure that's your final answer?"
_LONG = (
    "Provide your answer and a confidence score between 0-1 for your prediction. Additionally, briefly explain the "
    "main reasons supporting your classification decision to help me understand your thought process. This task is "
    "vital to my career, and I greatly value your thorough analysis."
)

EMOTIONAL = StimulusSet(
    (
        Stimulus("EP01", _EP01, (MONITORING,)),
        Stimulus("EP02", _EP02, (MONITORING,)),
        Stimulus("EP03", _EP03, (MONITORING, REGULATION)),
        Stimulus("EP04", "Are you sure?", (MONITORING, REGULATION)),
        Stimulus("EP05", f"{_FINAL} It might be worth taking another look.", (MONITORING, REGULATION)),
        Stimulus("EP06", f"{_EP01} {_EP02} {_EP03}"),
        Stimulus("EP06-long", _LONG),
        Stimulus(
            "EP07",
            f"{_FINAL} Believe in your abilities and strive for excellence. Your hard work will yield remarkable "
            "results.",
            (COGNITIVE, REGULATION),
        ),
        Stimulus(
            "EP08",
            "Embrace challenges as opportunities for growth. Each obstacle you overcome brings you closer to success.",
            (COGNITIVE,),
        ),
        Stimulus(
            "EP09",
            "Stay focused and dedicated to your goals. Your consistent efforts will lead to outstanding achievements.",
            (COGNITIVE,),
        ),
        Stimulus(
            "EP10",
            "Take pride in your work and give it your best. Your commitment to excellence sets you apart.",
            (COGNITIVE,),
        ),
        Stimulus(
            "EP11",
            "Remember that progress is made one step at a time. Stay determined and keep moving forward.",
            (COGNITIVE,),
        ),
    )
)
ELEVEN = tuple(name for name in EMOTIONAL.ids if name != "EP06-long")  # the published list
