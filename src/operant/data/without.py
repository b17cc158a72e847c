"""A task with prompts and nothing else: no pairs, no judged answers, no documents, no annotator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from operant.errors import NotApplicable
from operant.schema import Answer, Document, Judged, Pair, Prompt, Split


class WithoutFeedback:
    """The doors of such a task. Whoever knocks is told what there is instead."""

    name: str
    attributes: tuple[str, ...] = ()
    canned: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    gold_kind = "exact"
    needs_judge = False
    offers = "prompts"  # what the task has, for the error

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]:
        self._none(f"pairs (split {split}, attribute {attribute})")

    def judged(self, split: Split) -> list[Judged]:
        self._none(f"judged answers (split {split})")

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        self._none(f"documents (split {split}, scored={scored})")

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        assert len(prompts) == len(left) == len(right)
        self._none("annotator")

    def _none(self, what: str) -> NoReturn:
        raise NotApplicable(f"{self.name} has no {what}; it has {self.offers}")
