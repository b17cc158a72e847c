"""Whether two answers are the same: exact rationals first, then words, then, where it is allowed, math-verify."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from operant.domains.text.maths.numbers import Unreadable, number
from operant.domains.text.maths.symbolic import Symbolic, installed
from operant.errors import require

Use = Literal["never", "if installed", "always"]


class Verdict(NamedTuple):
    """`same` is None where the reference could not be understood; `why` then says so."""

    same: bool | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Equality:
    """What is overlooked, and who else is asked."""

    units: bool = True  # a currency sign before a number and words after it
    percent: Literal["either", "exact"] = "either"  # "either": 50% equals 0.5 and 50
    symbolic: Use = "never"  # math-verify, in a child process; "always" where it must be installed

    def __post_init__(self) -> None:
        require(self.percent in ("either", "exact"), "percent", self.percent, '"either" or "exact"')
        known = ("never", "if installed", "always")
        require(self.symbolic in known, "symbolic", self.symbolic, f"one of {known}")

    def __call__(self, answer: str, reference: str, *, symbolic: Symbolic | None = None) -> Verdict:
        """Is `answer` what `reference` says? `symbolic` is the process that is asked, where one is kept."""
        truth, why = self._values(reference)
        if truth:
            found, _ = self._values(answer)
            if found:
                return Verdict(bool(truth & found))
        if _words(answer) == _words(reference) != "":
            return Verdict(same=True)
        if self.symbolic == "always" or (self.symbolic == "if installed" and installed()):
            asked = symbolic or Symbolic()
            outcome = asked.same(answer, reference)
            if outcome.kind != "done" and asked.same(reference, reference).value:
                return Verdict(same=False, why=f"the answer cannot be checked: {outcome.why}")
            if outcome.value is not None:
                return Verdict(bool(outcome.value))
            why = outcome.why or why
        if truth:
            return Verdict(same=False)  # the answer is no number, the reference is one
        return Verdict(None, f"the reference cannot be read: {why}")

    def _values(self, text: str) -> tuple[frozenset[Fraction], str]:
        """What the text may mean: two numbers where a percent sign may count or not, none where it is no number."""
        readings = (True, False) if self.percent == "either" and "%" in text else (True,)
        why = ""
        for part in dict.fromkeys((text, text.rpartition("=")[2])):  # "2 + 3 = 5" answers 5
            try:
                return frozenset(number(part, units=self.units, percent=percent) for percent in readings), ""
            except Unreadable as error:
                why = why or str(error)
        return frozenset(), why


def _words(text: str) -> str:
    """For answers that are no numbers: the same but for case, spaces, and what closes a sentence."""
    return " ".join(text.casefold().split()).strip(" .!$")
