"""The record that a row becomes. What cannot be used never becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

Kind = Literal[
    "preference", "prompt_completion", "unpaired", "prompt_only", "stepwise", "text", "messages",
    "ratings", "scored_text", "prompt_target",
]  # fmt: skip
Message: TypeAlias = Mapping[str, str]  # {"role", "content"}
Content: TypeAlias = str | tuple[Message, ...]
Column: TypeAlias = None | bool | int | float | str | list[Any]
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
    ratings: tuple[float, float] | None = None  # preference: the file's scores of chosen and rejected, on its own scale
    baseline: Content | None = None  # preference: an imitation target other than chosen
    completion: Content | None = None  # prompt_completion, unpaired
    label: bool | None = None  # unpaired: True is good
    steps: tuple[str, ...] | None = None  # stepwise: the completions in order
    step_labels: tuple[bool, ...] | None = None  # stepwise: one label a step
    completions: tuple[Content, ...] | None = None  # ratings: the answers that have a score, in the file's order
    scores: tuple[float, ...] | None = None  # ratings: one a completion; scored_text: one a segment; the file's scale
    rater: str | None = None  # ratings: who gave the scores, where the file says so
    targets: tuple[str, ...] | None = None  # prompt_target, prompt_only of verl: what counts as right
    choices: tuple[str, ...] | None = None  # prompt_target: what there is to choose from, where the file says so
    text: Content | None = None  # text, scored_text, messages: the whole text or dialogue
    texts: tuple[str, ...] | None = None  # scored_text: the segments; joined without anything between they are `text`
    source: str | None = None  # text, scored_text, prompt_only of verl: where the row comes from
    split: SplitName | None = None  # what the file's split column says
    columns: Mapping[str, Column] = field(default_factory=dict)  # the other columns: plain values and lists

    def sides(self) -> dict[str, str]:
        """The texts whose length counts, by name; messages as their contents, steps joined by line feeds."""
        found: dict[str, Content | None] = {
            "prompt": self.prompt,
            "longest completion": max(map(plain, self.completions or ()), key=len, default=None),
            "longest target": max(self.targets or () if self.kind == "prompt_target" else (), key=len, default=None),
            "chosen": self.chosen,
            "rejected": self.rejected,
            "completion": self.completion if self.steps is None else "\n".join(self.steps),
            "text": self.text,
        }
        return {name: plain(content) for name, content in found.items() if content is not None}


class Derived(NamedTuple):
    """What one record became: other records, and what was left out on the way, by reason."""

    records: tuple[Record, ...]
    dropped: Mapping[str, int] = {}


def plain(content: Content) -> str:
    """Text as it is; messages as their contents joined by line feeds, without roles or a chat template."""
    if isinstance(content, str):
        return content
    return "\n".join(message["content"] for message in content)
