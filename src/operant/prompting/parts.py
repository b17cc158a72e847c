"""A prompt taken apart: which of its pieces are parts that may be left out, and the template they stand in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from operant.errors import NotApplicable
from operant.prompting.edits import after_instruction, with_text
from operant.schema import Prompt

Place = Literal["instruction", "start", "end"]
_HERE = "\ufdd0"  # no character: stands where phrases go


class Parts(NamedTuple):
    """A template with a field in double braces for every part, what each part is, and what is no part."""

    template: str
    fields: Mapping[str, str]  # name of each part, in order, to its text
    constants: Mapping[str, str] = {}
    names: Mapping[str, str] = {}  # what a part is called, where not by its field


def text_of(prompt: Prompt) -> str:
    """The text, or the user's last message."""
    if isinstance(prompt.content, str):
        return prompt.content
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    with_text(prompt, keep)
    return found[0]


def phrases_in(prompt: Prompt, phrases: Mapping[str, str], *, place: Place = "instruction") -> Parts:
    """Phrases, by name, behind the instruction, or at the start or the end; the prompt itself is no part."""
    text = text_of(prompt)
    if place == "instruction":
        text = text_of(after_instruction(prompt, _HERE))
    else:
        text = f"{_HERE} {text}" if place == "start" else f"{text} {_HERE}"
    before, _, behind = text.partition(_HERE)
    fields = " ".join(f"{{{{ {name} }}}}" for name in phrases)
    left, right = before[len(before.rstrip(" ")) :], behind[:1] if behind[:1] in (" ", "\n") else ""
    constants = {"#0": before.rstrip(" "), "#1": behind[len(right) :]}
    return Parts(f"{{{{ #0 }}}}{left}{fields}{right}{{{{ #1 }}}}", dict(phrases), constants)


def lines_of(prompt: Prompt) -> Parts:
    """Every line that is not empty."""
    return _pieces(text_of(prompt), r"[^\n]+")


def words_of(prompt: Prompt) -> Parts:
    """Every word, as it stands between white space."""
    return _pieces(text_of(prompt), r"\S+")


def _pieces(text: str, pattern: str) -> Parts:
    fields, template, end = {}, "", 0
    for place, found in enumerate(re.finditer(pattern, text)):
        fields[str(place)] = found.group()
        template += f"{text[end : found.start()]}{{{{ {place} }}}}"
        end = found.end()
    return Parts(template + text[end:], fields, names=dict(fields))


def columns_of(prompt: Prompt, *, template: str = "") -> Parts:
    """Columns of the prompt's row: those that a template names, else those whose text stands in the prompt.

    Raises: NotApplicable where there are none.
    """
    given = {str(name): str(value) for name, value in prompt.columns.items() if isinstance(value, str | int | float)}
    if template:
        named = dict.fromkeys(re.findall(r"\{\{ *([^{}]*?) *\}\}", template))
        return Parts(template, {name: given[name] for name in named if name in given})
    text = text_of(prompt)
    places = sorted((text.find(value), name) for name, value in given.items() if value.strip() and value in text)
    fields: dict[str, str] = {}
    constants: dict[str, str] = {}
    made, end = "", 0
    for start, name in places:
        if start >= end:
            made += f"{{{{ #{len(constants)} }}}}{{{{ {name} }}}}"
            constants[f"#{len(constants)}"] = text[end:start]
            fields[name] = given[name]
            end = start + len(given[name])
    if not fields:
        raise NotApplicable(
            f"no column of prompt {prompt.id!r} stands in its text; name template='...' with columns in double braces"
        )
    made += f"{{{{ #{len(constants)} }}}}"
    constants[f"#{len(constants)}"] = text[end:]
    return Parts(made, fields, constants)


def values_of(prompts: Sequence[Parts]) -> dict[str, tuple[str, ...]]:
    """What each field is in these prompts: what a background may be drawn from."""
    found: dict[str, dict[str, None]] = {}
    for parts in prompts:
        for name, value in parts.fields.items():
            found.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in found.items()}
