"""A question that stands in its prompt more than once: which part of the prompt is the question, and its copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from operant.errors import require
from operant.prompting.edits import with_text
from operant.schema import Prompt

Scope = Literal["question", "context"]
Second = Literal["copy", "filler"]
QUESTION = ("question", "input")  # columns that hold it
PHRASE = "Read the question again:"
FILLER = "..."
Size = Callable[[str], int]  # how long a text is, in tokens


class Span(NamedTuple):
    """Where the question stands in a text."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Again:
    """How often a question is read, and what announces each further reading."""

    times: int = 2
    phrase: str = PHRASE
    scope: Scope = "question"  # context: the column `context` is read again with it
    second: Second = "copy"  # filler: as many fillers as the copies have tokens, which say nothing

    def __post_init__(self) -> None:
        require(self.times >= 1, "times", self.times, "at least 1")

    @property
    def joint(self) -> str:
        """What stands between two copies, as released. Source: Xu et al. 2024, arXiv:2309.06275, their code."""
        return f" \n\n{self.phrase} "


def words_in(text: str) -> int:
    """Words between white space: the size of a text where no tokenizer is known."""
    return len(text.split())


def span_of(text: str, prompt: Prompt, *, scope: Scope = "question") -> Span:
    """The question within `text`, with its choices, and with its context where the scope says so.

    It is the column `question` or `input`, where that stands in the text; the answers to choose from (`choices`) that
    stand behind it are part of it. Without such a column the whole text is the question.
    """
    named = [str(prompt.columns[name]) for name in QUESTION if str(prompt.columns.get(name) or "").strip()]
    own = next((value for value in named if value in text), None)
    if own is None:
        return Span(0, len(text))
    start = text.rfind(own)
    end = _behind(text, start + len(own), prompt.columns.get("choices") or ())
    context = str(prompt.columns.get("context") or "")
    if scope == "context" and context.strip() and context in text[:start]:
        start = text.find(context)
    return Span(start, end)


def _behind(text: str, end: int, choices: Sequence[object]) -> int:
    """The end of the last choice that stands behind the question, each behind the one before."""
    if isinstance(choices, str):
        return end
    for choice in map(str, choices):
        place = text.find(choice, end)
        end = place + len(choice) if place >= 0 else end
    return end


def copies(question: str, again: Again, *, size: Size = words_in) -> str:
    """What is put behind the question: its further readings, or as many fillers."""
    more = (again.joint + question) * (again.times - 1)
    if again.second == "copy" or not more:
        return more
    return " \n\n" + " ".join([FILLER] * size(more))


def read_again(prompt: Prompt, again: Again, *, size: Size = words_in) -> Prompt:
    """The prompt with its question read `times` times, and nothing else changed; of a conversation, within the user's
    last message, so that nothing takes the copy for a turn said twice.
    """

    def change(text: str) -> str:
        start, end = span_of(text, prompt, scope=again.scope)
        return text[:end] + copies(text[start:end], again, size=size) + text[end:]

    return with_text(prompt, change)
