"""Where the answer stands in a text: after ####, in \\boxed{}, after "the answer is", or the last number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from operant.errors import UnknownName

TEXT = 20_000  # characters; an answer stands at the end, so the beginning of a longer text is not read
STYLES = ("hash", "boxed", "says", "last")
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")
# "Confidence score: 0.9", asked for by prompts such as EmotionPrompt's EP01; with what wraps it.
_CONFIDENCE = re.compile(
    r"[(\[]?\b(?:my |the |with a )?confidence(?: score| level)?(?: is| of| for this answer is|:| =)? ?[:=]? ?"
    r"(?:1\.0+|0?\.\d{1,6}|[01]\b|\d{1,3} ?%)[)\]]?\.?",
    re.IGNORECASE | re.ASCII,
)
_SAYS = re.compile(r"(?:\banswer(?: is|:| =)|^a:)[ :*]{0,4}", re.IGNORECASE | re.ASCII | re.MULTILINE)
_CLAUSE = re.compile(r"[.,;] ")
NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?[$€£¥]? ?[-\u2212]?(?:(?:\d{1,3}(?:,\d{3}){1,12}(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:[eE][+-]?\d{1,3}(?!\w))?(?: ?/ ?\d+)?(?: ?%)?",
    re.ASCII,
)


def cleaned(text: str) -> str:
    """The end of a text without calculator annotations and without a stated confidence."""
    return _CONFIDENCE.sub(" ", _CALCULATOR.sub("", text[-TEXT:]))


def final_answer(text: str, *, styles: Sequence[str] = STYLES) -> str | None:
    """The final answer by the first style that finds one; None where none does.

    hash: what follows the last ####, to the end of its line. boxed: what the last \\boxed{} holds. says: what follows
    the last "answer is", "answer:" or a line's "A:", to the end of that clause. last: the last number.
    """
    for style in styles:
        if style not in STYLES:
            raise UnknownName("style of answer", style, STYLES)
    end = cleaned(text)
    finders = {"hash": _hash, "boxed": _boxed, "says": _says, "last": _last}
    return next((found for style in styles if (found := finders[style](end)) is not None), None)


def _hash(text: str) -> str | None:
    _, found, rest = text.rpartition("####")
    return _line(rest) if found else None


def _boxed(text: str) -> str | None:
    """Braces are counted, so \\boxed{\\frac{1}{2}} is whole; one that never closes is none."""
    place = text.rfind("\\boxed{")
    if place < 0:
        return None
    start, depth = place + len("\\boxed{"), 1
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end].strip() or None
    return None


def _says(text: str) -> str | None:
    ends = [found.end() for found in _SAYS.finditer(text)]
    line = _line(text[ends[-1] :]) if ends else None
    return _CLAUSE.split(line, maxsplit=1)[0].strip() or None if line else None


def _last(text: str) -> str | None:
    found = NUMBER.findall(text)
    return found[-1].strip() if found else None


def _line(text: str) -> str | None:
    """The first line with something on it, without what closes a sentence."""
    lines = text.strip().splitlines()
    return (lines[0].strip().strip("*").rstrip(".").strip() or None) if lines else None
