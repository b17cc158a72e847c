"""The record that a row becomes. What cannot be used never becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind = Literal["preference", "prompt_completion", "unpaired", "prompt_only", "stepwise", "text", "messages"]
Message: TypeAlias = Mapping[str, str]  # {"role", "content"}
Content: TypeAlias = str | tuple[Message, ...]
Scalar: TypeAlias = None | bool | int | float | str
SplitName = Literal["train", "valid", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One usable row. Fields that its kind does not have are None."""

    kind: Kind
    line: int  # as in Problem
    prompt: Content | None = None
    chosen: Content | None = None  # preference
    rejected: Content | None = None  # preference
    chosen_was: Literal[1, 2] | None = None  # which answer of the row won, where the row says answer 1 and answer 2
    verdict: float | None = None  # from 1 (answer 1 wins) to 2, where the row has a verdict
    margin: float | None = None  # by how much chosen is better, in the unit of the file
    baseline: Content | None = None  # preference: an imitation target other than chosen
    completion: Content | None = None  # prompt_completion, unpaired
    label: bool | None = None  # unpaired: True is good
    steps: tuple[str, ...] | None = None  # stepwise: the completions in order
    step_labels: tuple[bool, ...] | None = None  # stepwise: one label a step
    text: Content | None = None  # text, messages: the whole text or dialogue
    split: SplitName | None = None  # what the file's split column says
    columns: Mapping[str, Scalar] = field(default_factory=dict)  # the other columns that hold plain values

    def sides(self) -> dict[str, str]:
        """The texts whose length counts, by name; messages as their contents, steps joined by line feeds."""
        found: dict[str, Content | None] = {
            "prompt": self.prompt,
            "chosen": self.chosen,
            "rejected": self.rejected,
            "completion": self.completion if self.steps is None else "\n".join(self.steps),
            "text": self.text,
        }
        return {name: plain(content) for name, content in found.items() if content is not None}


def plain(content: Content) -> str:
    """Text as it is; messages as their contents joined by line feeds, without roles or a chat template."""
    if isinstance(content, str):
        return content
    return "\n".join(message["content"] for message in content)
