"""How long the sides are, and what a maximum would cut."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from operant.data.cut import cut_ids, cut_pair
from operant.data.records import Record
from operant.data.tokens import Encode
from operant.schema import Json

Unit = Literal["tokens", "characters"]


class Lengths:
    """Lengths by side. Memory: one number for each different length."""

    def __init__(self) -> None:
        self._sides: dict[str, Counter[int]] = {}

    def add(self, side: str, length: int) -> None:
        self._sides.setdefault(side, Counter())[length] += 1

    def to_json(self) -> dict[str, Json]:
        return {side: summary(counts) for side, counts in self._sides.items()}


def summary(counts: Counter[int]) -> dict[str, Json]:
    """min, median, mean, p95 and max. p95 is the smallest length that at least 95% of rows do not exceed."""
    total = counts.total()
    middle = (_ranked(counts, (total + 1) // 2) + _ranked(counts, total // 2 + 1)) / 2
    return {
        "min": min(counts),
        "median": middle,
        "mean": sum(length * times for length, times in counts.items()) / total,
        "p95": _ranked(counts, -(-95 * total // 100)),
        "max": max(counts),
    }


def _ranked(counts: Counter[int], rank: int) -> int:
    """The rank-th smallest, from 1."""
    seen = 0
    for length in sorted(counts):
        seen += counts[length]
        if seen >= rank:
            return length
    raise AssertionError("the rank is above the number of rows")


class Measure:
    """Encodes each record once: counts lengths, and what `max_length` does to the row."""

    def __init__(self, encode: Encode | None, max_length: int | None) -> None:
        self.unit: Unit = "characters" if encode is None else "tokens"
        self._encode = encode
        self._max_length = max_length
        self._lengths = Lengths()
        self._cut = {"rows": 0, "prompts": 0, "answers": 0, "dropped": 0, "identical": 0}

    def add(self, record: Record) -> bool:
        """Counts one row. True where its two answers are the same after the cut."""
        ids: dict[str, Sequence[Any]] = {
            side: text if self._encode is None else self._encode(text) for side, text in record.sides().items()
        }
        for side, held in ids.items():
            self._lengths.add(side, len(held))
        return self._max_length is not None and self._count_cut(ids, self._max_length)

    def _count_cut(self, ids: dict[str, Sequence[Any]], max_length: int) -> bool:
        prompt, answers = ids.get("prompt", ""), [held for side, held in ids.items() if side != "prompt"]
        identical = False
        if len(answers) == 2:
            pair = cut_pair(prompt, answers[0], answers[1], max_length)
            prompt_cut, answer_cut = pair.chosen.prompt_cut, pair.chosen.answer_cut + pair.rejected.answer_cut
            dropped, identical = pair.dropped, pair.identical and not pair.dropped
        elif answers:
            cut = cut_ids(prompt, answers[0], max_length)
            prompt_cut, answer_cut, dropped = cut.prompt_cut, cut.answer_cut, cut.dropped
        else:  # answers are still to be sampled: the prompt gets its half
            prompt_cut, answer_cut, dropped = max(0, len(prompt) - max_length // 2), 0, False
        counted = {"prompts": prompt_cut, "answers": answer_cut, "dropped": dropped, "identical": identical}
        self._cut["rows"] += bool(prompt_cut or answer_cut)
        for name, value in counted.items():
            self._cut[name] += bool(value)
        return identical

    def lengths_json(self) -> dict[str, Json]:
        return {"unit": self.unit, **self._lengths.to_json()}

    def cut_json(self) -> dict[str, Json] | None:
        if self._max_length is None:
            return None
        return {"max_length": self._max_length, "unit": self.unit, **self._cut}
