"""Messages as plain text and back.

One question of the user is the same as plain text: its content is the prompt, and the answer is the answer's content.
Any other dialogue becomes text by roles: `Role: content`, a blank line between messages; a prompt then ends with
"\\n\\nAssistant:" and the answer begins with a space. Only the first of the two can be turned back.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from operant.data.records import Content, Derived, Message, Record

ROLE = re.compile(r"^(System|User|Human|Assistant|Tool):", re.MULTILINE)
CUE = "\n\nAssistant:"


def render(messages: tuple[Message, ...]) -> str:
    """A dialogue as text by roles."""
    return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)


def to_text(record: Record) -> Derived:
    """Messages as text; what is text already stays as it is. Nothing is dropped."""
    if isinstance(record.text, tuple):
        return Derived((replace(record, kind="text", text=render(record.text)),))
    if not isinstance(record.prompt, tuple):
        return Derived((record,))
    answers = [answer for answer in _answers(record) if isinstance(answer, tuple)]
    plain = _is_one(record.prompt, "user") and all(_is_one(answer, "assistant") for answer in answers)
    prompt = record.prompt[0]["content"] if plain else render(record.prompt) + CUE
    return Derived((_with(record, prompt, _said if plain else _continued),))


def to_chat(record: Record) -> Derived:
    """Text as one turn of the user and one of the assistant. A prompt that holds several turns is dropped."""
    if isinstance(record.text, str):
        return Derived((), {"text without turns": 1})
    if not isinstance(record.prompt, str):
        return Derived((record,))
    if ROLE.search(record.prompt):
        return Derived((), {"several turns in one text": 1})
    return Derived((_with(record, turn("user", record.prompt), _as_turn),))


def turn(role: str, content: str) -> tuple[Message, ...]:
    return ({"role": role, "content": content},)


def _as_turn(answer: Content) -> Content:
    return turn("assistant", answer) if isinstance(answer, str) else answer


def _said(answer: Content) -> Content:
    return answer if isinstance(answer, str) else answer[0]["content"]


def _continued(answer: Content) -> Content:
    """What follows "Assistant:"."""
    text = answer if isinstance(answer, str) else render(answer).removeprefix("Assistant:").lstrip(" ")
    return f" {text}"


def _is_one(messages: Content, role: str) -> bool:
    return isinstance(messages, tuple) and len(messages) == 1 and messages[0]["role"] == role


def _answers(record: Record) -> list[Content]:
    found = (record.chosen, record.rejected, record.baseline, record.completion, *(record.completions or ()))
    return [answer for answer in found if answer is not None]


def _with(record: Record, prompt: Content, change: Callable[[Content], Content]) -> Record:
    """The record with another prompt, and each of its answers changed."""
    rated = record.completions
    return replace(
        record,
        prompt=prompt,
        chosen=record.chosen and change(record.chosen),
        rejected=record.rejected and change(record.rejected),
        baseline=record.baseline and change(record.baseline),
        completion=record.completion and change(record.completion),
        completions=None if rated is None else tuple(map(change, rated)),
    )
