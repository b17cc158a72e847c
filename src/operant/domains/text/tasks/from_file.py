"""A user's own task: a model directory or name, and a file of preference pairs. Gold is a held-out judge, not truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from operant.data.load import Loaded, load
from operant.data.records import Record, plain
from operant.data.split import prompt_id, split_prompts
from operant.engine.policy import LanguageModel
from operant.errors import NotApplicable, OperantError
from operant.models.text import encode_answer
from operant.schema import Answer, Json, Metric, Pair, Prompt, Score, Scorer

SHARES = {"train": 0.5, "valid": 0.1, "judge": 0.25, "test": 0.15}  # of prompts; no prompt is in two


class FromFile:
    """Splits are by prompt. The judge's rows and prompts are seen by no method and by no test."""

    attributes: tuple[str, ...] = ()
    canned: tuple[str, ...] = ()
    metrics = (Metric(name="judge", what="reward of a held-out judge, logits; not truth"),)
    gold_kind = "held-out judge trained on disjoint rows and prompts, not truth"
    needs_judge = True

    def __init__(
        self, *, model: str, data: str, columns: Mapping[str, str], limit: int | None,
        on_bad_row: Literal["stop", "skip"],
        test_prompts: int | None,
    ):  # fmt: skip
        self.model, self.path, self.test_prompts = model, Path(data), test_prompts
        self.name = self.path.name.split(".")[0]
        self.loaded: Loaded = load(self.path, columns=columns or None, limit=limit, on_bad_row=on_bad_row)
        if self.loaded.kind != "preference":
            raise OperantError(
                f"{data} holds {self.loaded.kind} rows; compare needs preference pairs (chosen and rejected, or two "
                "answers with a verdict). Name the columns with --columns"
            )
        self._splits = split_prompts(self.loaded.records, seed=0, shares=SHARES)
        self._make_judge: Callable[[], Scorer] | None = None
        for split in SHARES:
            if len(self._splits.get(split, ())) < 4:
                found = len({prompt_id(record.prompt or "") for record in self.loaded.records})
                raise OperantError(
                    f"{data}: {len(self.loaded.records)} usable pairs over {found} prompts leave "
                    f"{len(self._splits.get(split, ()))} pairs for the {split} split; at least 4 are needed"
                )

    @cached_property
    def _pairs(self) -> dict[str, list[Pair]]:
        return {split: [_pair(record) for record in records] for split, records in self._splits.items()}

    def prompts(self, split: str) -> list[Prompt]:
        unique = {pair.prompt.id: pair.prompt for pair in self.pairs(split)}
        prompts = list(unique.values())
        return prompts[: self.test_prompts] if split == "test" else prompts

    def pairs(self, split: str, *, attribute: str | None = None) -> list[Pair]:
        if attribute is not None:
            raise NotApplicable(f"{self.path.name} has no pairs about {attribute!r}")
        return self._pairs[split]

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        assert len(prompts) == len(left) == len(right)
        raise NotApplicable("a file of feedback has no annotator to ask for labels on new answers")

    def use_judge(self, make: Callable[[], Scorer]) -> None:
        """How the judge is made, when something is first graded."""
        self._make_judge = make

    @cached_property
    def _judge(self) -> Scorer:
        assert self._make_judge is not None, "compare says how the judge is made"
        return self._make_judge()

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        return {"judge": self._judge.score(prompts, answers)}

    def base(self) -> LanguageModel:
        return LanguageModel.load(self.model)

    def identity(self) -> Json:
        return {"task": "file", "rows": len(self.loaded.records), "kind": self.loaded.kind, "shares": dict(SHARES)}

    def summary(self) -> dict[str, Json]:
        report: dict[str, Any] = self.loaded.report.to_json()
        tokenizer = self.base().tokenizer
        pairs: dict[str, Json] = {split: len(self._pairs[split]) for split in SHARES}
        return {
            "file": self.path.name,
            "check": {key: report[key] for key in ("kind", "rows", "kept", "dropped")},
            "problems": report["problems"][:50],
            "pairs": pairs,
            "prompts": {split: len(self.prompts(split)) for split in SHARES},
            "unigram entropy of chosen test answers, nats per token": _entropy(tokenizer, self._pairs["test"]),
        }


def _pair(record: Record) -> Pair:
    assert record.prompt is not None and record.chosen is not None and record.rejected is not None
    prompt = Prompt(id=prompt_id(record.prompt), content=record.prompt, columns=dict(record.columns))
    baseline = None if record.baseline is None else Answer(value=plain(record.baseline))
    return Pair(
        prompt=prompt, chosen=Answer(value=plain(record.chosen)), rejected=Answer(value=plain(record.rejected)),
        margin=record.margin, baseline=baseline,
    )  # fmt: skip


def _entropy(tokenizer: Any, pairs: Sequence[Pair]) -> float:
    """Of the tokens' own frequencies: what a model that ignores context reaches at best on this text."""
    counts = Counter(token for pair in pairs for token in encode_answer(tokenizer, pair.chosen))
    total = sum(counts.values())
    return -sum(count / total * math.log(count / total) for count in counts.values())
