"""Who won a comparison. A value that sets read in different ways is refused, never guessed."""

import math
from typing import Literal

from operant.data.codes import Flaw, shorten

Outcome = Literal["tie", "no_verdict"]
FIRST = frozenset({"1", "a", "a>b", "a>>b", "answer_1", "output_1", "response_1", "model_a", "first"})
SECOND = frozenset({"2", "b", "b>a", "b>>a", "answer_2", "output_2", "response_2", "model_b", "second"})
TIE = frozenset({"tie", "a=b", "b=a", "equal", "tie (bothbad)"})
NOBODY = frozenset({"", "null", "none", "nan"})


def read_verdict(value: object, *, column: str, zero_is_tie: bool) -> float | Outcome:
    """1 to 2 (below 1.5 the first answer won, above it the second), or "tie", or "no_verdict".

    Numbers 1 to 2, cut at 1.5, which is a tie; text such as "A>B", "B>A", "A", "B", "tie", in any case; null is no
    verdict. 0 is a tie in AlpacaEval and PandaLM and the first answer in Auto-J, so it is refused unless
    `zero_is_tie`. Raises Flaw unknown_verdict.
    """
    if value is None or isinstance(value, str) and value.strip().lower() in NOBODY:
        return "no_verdict"
    if isinstance(value, str):
        return _from_text(value, column=column, zero_is_tie=zero_is_tie)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unknown(value, column)
    return _from_number(value, column=column, zero_is_tie=zero_is_tie)


def _from_text(value: str, *, column: str, zero_is_tie: bool) -> float | Outcome:
    word = "".join(value.lower().split()) if ">" in value or "=" in value else value.strip().lower()
    if word in TIE:
        return "tie"
    if word in FIRST or word in SECOND:
        return 1.0 if word in FIRST else 2.0
    try:
        number = float(word)
    except ValueError:
        raise _unknown(value, column) from None
    return _from_number(number, column=column, zero_is_tie=zero_is_tie)


def _from_number(value: float, *, column: str, zero_is_tie: bool) -> float | Outcome:
    if value == 0 and zero_is_tie or value == 1.5:
        return "tie"
    if value == 0:
        raise Flaw(
            "unknown_verdict",
            "0 is a tie in some sets and the first answer in others; write 1, 2 or tie in the file",
            column,
        )
    if math.isfinite(value) and 1 <= value <= 2:
        return float(value)
    raise _unknown(value, column)


def _unknown(value: object, column: str) -> Flaw:
    return Flaw(
        "unknown_verdict",
        f"the verdict is {shorten(value)}; expected 1 (first), 2 (second), a number between (cut at 1.5), "
        "A>B, B>A, tie, or null",
        column,
    )
