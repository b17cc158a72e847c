"""The steps of a solution: where each one ends in its text, and at which token."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from operant.errors import BadValue
from operant.models.text import Encoded, decode

STEP_END = r"\n| \."  # a line feed, or a full stop that stands apart


def separator(pattern: str) -> re.Pattern[str]:
    """What ends a step, or why it cannot."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise BadValue("step_end", pattern, f"a regular expression ({error})") from None
    if found.match(""):
        raise BadValue("step_end", pattern, "a regular expression that never matches nothing")
    return found


def cuts(text: str, pattern: str) -> list[int]:
    """Where one step ends and another begins. Empty steps are none; what follows the last cut is the last step."""
    found, begin = [], 0
    for match in separator(pattern).finditer(text):
        if text[begin : match.start()].strip() and text[match.end() :].strip():
            found.append(match.end())
            begin = match.end()
    return found


def step_texts(text: str, pattern: str) -> list[str]:
    """The steps themselves; a text without a separator is one step."""
    places = [0, *cuts(text, pattern), len(text)]
    return [text[start:end] for start, end in zip(places, places[1:], strict=False)]


def step_ends(tokenizer: Any, tokens: Sequence[int], pattern: str) -> tuple[int, ...]:
    """The place of each step's last token; the last step ends with the answer, EOS included."""
    places = range(len(tokens))

    def written(place: int) -> int:
        return len(decode(tokenizer, tokens[: place + 1]))

    inner = {bisect_left(places, cut, key=written) for cut in cuts(decode(tokenizer, tokens), pattern)}
    return (*sorted(inner - {len(tokens) - 1}), len(tokens) - 1)


def closed(tokenizer: Any, row: Encoded) -> Encoded:
    """The row with EOS at its end, where it has none: a step is read where the token behind it is predicted."""
    if row.answer and row.answer[-1] == tokenizer.eos_token_id:
        return row
    return Encoded(row.prompt, (*row.answer, tokenizer.eos_token_id))


def read_at(row: Encoded, ends: Sequence[int]) -> tuple[int, ...]:
    """Which of a closed row's tokens are predicted from whole steps, one for each of `ends`."""
    return tuple(min(end + 1, len(row.answer) - 1) for end in ends)
