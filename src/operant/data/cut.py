"""What a maximum length leaves of a row. Training and `operant data check` both call this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from operant.errors import require


class Cut(NamedTuple):
    """Ids after the cut, and how many were taken away."""

    prompt: Sequence[Any]
    answer: Sequence[Any]
    prompt_cut: int  # ids taken from the left of the prompt
    answer_cut: int  # ids taken from the right of the answer

    @property
    def dropped(self) -> bool:
        """Nothing is left of the answer: the row is not used."""
        return not self.answer


class CutPair(NamedTuple):
    """Both sides of a pair after the cut; their prompts are equal."""

    chosen: Cut
    rejected: Cut

    @property
    def dropped(self) -> bool:
        return self.chosen.dropped or self.rejected.dropped

    @property
    def identical(self) -> bool:
        """The cut took away all that told the answers apart."""
        return self.chosen.answer == self.rejected.answer


def cut_ids(prompt_ids: Sequence[Any], answer_ids: Sequence[Any], max_length: int) -> Cut:
    """A prompt and an answer, cut to at most `max_length` ids together.

    What fits is left alone. Else the prompt is cut from the left to its last max_length // 2 ids, and then the answer
    from the right to the room that is left. A row whose answer is then empty is dropped (`.dropped`).
    """
    return _cut(prompt_ids, answer_ids, max_length, longest=len(answer_ids))


def cut_pair(prompt_ids: Sequence[Any], chosen: Sequence[Any], rejected: Sequence[Any], max_length: int) -> CutPair:
    """The same rule for a pair. The longer answer decides about the prompt, so that both sides see the same one."""
    longest = max(len(chosen), len(rejected))
    return CutPair(*(_cut(prompt_ids, answer, max_length, longest=longest) for answer in (chosen, rejected)))


def _cut(prompt: Sequence[Any], answer: Sequence[Any], max_length: int, *, longest: int) -> Cut:
    require(max_length >= 1, "max_length", max_length, "at least 1")
    kept = len(prompt) if len(prompt) + longest <= max_length else min(len(prompt), max_length // 2)
    start = len(prompt) - kept
    room = max_length - kept
    return Cut(prompt[start:], answer[:room], start, max(0, len(answer) - room))
