"""A user's own task: a model, a file of feedback, and what grades answers. No code is needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from operant.data.load import Loaded, load
from operant.data.split import group, prompt_id, split_prompts
from operant.domains.text.induction import InductionMatch
from operant.domains.text.maths.verifier import AnswerVerifier
from operant.domains.text.records import documents_of, judged_of, pairs_of, prompt_of
from operant.engine.policy import open_model
from operant.errors import NotApplicable, OperantError
from operant.models.endpoint import ENDPOINT
from operant.models.loading import Loading
from operant.models.text import encode_answer
from operant.schema import Answer, Document, Json, Judged, Metric, Pair, Prompt, Score, Scorer

JUDGED = {"train": 0.5, "valid": 0.1, "judge": 0.25, "test": 0.15}  # of prompts; no prompt is in two
NAMED = {"train": 0.7, "valid": 0.1, "test": 0.2}  # where a scorer is named, no judge has to be trained
LEAST = 4  # rows of a split
EXACT = (AnswerVerifier, InductionMatch)  # these know the right answers


class Named(NamedTuple):
    """What grades answers, and the name it was given."""

    spec: str
    scorer: Scorer


class FromFile:
    """Splits are by prompt. A held-out judge's rows and prompts are seen by no method and by no test."""

    attributes: tuple[str, ...] = ()
    canned: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    hidden = ("targets", "target", "answer")
    subject = "text"
    allowance: Mapping[str, float] = {}

    def __init__(
        self, *, model: str, data: str, columns: Mapping[str, str], limit: int | None,
        on_bad_row: Literal["stop", "skip"], test_prompts: int | None, named: Named | None = None,
    ):  # fmt: skip
        self.model, self.path, self.test_prompts, self.named = model, Path(data), test_prompts, named
        self.name = self.path.name.split(".")[0]
        self.loaded: Loaded = load(data, columns=columns or None, limit=limit, on_bad_row=on_bad_row)
        self.shares = NAMED if named else JUDGED
        self._splits = split_prompts(self.loaded.records, seed=0, shares=self.shares)
        self._make_judge: Callable[[], Scorer] | None = None
        self._check_sizes(data)

    def _check_sizes(self, data: str) -> None:
        for split in self.shares:
            if len(self._splits.get(split, ())) < LEAST:
                found = len({prompt_id(group(record)) for record in self.loaded.records})
                raise OperantError(
                    f"{data}: {len(self.loaded.records)} usable rows over {found} prompts leave "
                    f"{len(self._splits.get(split, ()))} rows for the {split} split; at least {LEAST} are needed"
                )

    @property
    def needs_judge(self) -> bool:
        return self.named is None and bool(self._pairs["train"])

    @property
    def metrics(self) -> tuple[Metric, ...]:
        if self.named is None:
            return (Metric(name="judge", what="reward of a held-out judge, logits; not truth"),)
        if isinstance(self.named.scorer, EXACT):
            return (Metric(name="accuracy", what=f"share of answers that {self.named.spec} finds right"),)
        return (Metric(name="score", what=f"score of {self.named.spec}; higher is better"),)

    @property
    def gold_kind(self) -> str:
        if self.named is None:
            return "held-out judge trained on disjoint rows and prompts, not truth"
        return self.named.spec + ("" if isinstance(self.named.scorer, EXACT) else ", not truth")

    @cached_property
    def _pairs(self) -> dict[str, list[Pair]]:
        return {split: pairs_of(records) for split, records in self._splits.items()}

    def prompts(self, split: str) -> list[Prompt]:
        """Each prompt once, in the order of the file; dialogues are asked for their last answer."""
        asked = [prompt_of(record) for record in self._splits[split] if record.prompt is not None]
        asked += [one.prompt for one in judged_of(self._splits[split])]
        prompts = list({prompt.id: prompt for prompt in asked}.values())
        return prompts[: self.test_prompts] if split == "test" else prompts

    def pairs(self, split: str, *, attribute: str | None = None) -> list[Pair]:
        if attribute is not None:
            raise NotApplicable(f"{self.path.name} has no pairs about {attribute!r}")
        return self._some(self._pairs[split], "preference pairs")

    def judged(self, split: str) -> list[Judged]:
        return self._some(judged_of(self._splits[split]), "single answers")

    def documents(self, split: str, *, scored: bool = False) -> list[Document]:
        what = "texts with scores of their segments" if scored else "texts to pretrain on"
        return self._some(documents_of(self._splits[split], scored=scored), what)

    def _some(self, found: list[Any], what: str) -> list[Any]:
        if not found:
            raise NotApplicable(f"{self.path.name} holds {self.loaded.kind} rows, and no {what}")
        return found

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        assert len(prompts) == len(left) == len(right)
        raise NotApplicable("a file of feedback has no annotator to ask for labels on new answers")

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        if self.named is None or not isinstance(self.named.scorer, EXACT):
            raise NotApplicable("only --scorer verifier or match can say whether an answer is right")
        return self.named.scorer.score(prompts, answers)

    def use_judge(self, make: Callable[[], Scorer]) -> None:
        """How the judge is made, when something is first graded."""
        self._make_judge = make

    @cached_property
    def _judge(self) -> Scorer:
        if self._make_judge is None:
            raise OperantError(
                f"{self.path.name} has no preference pairs to train a held-out judge on; name what grades answers "
                "with --scorer (verifier, a reward model directory, module:name, an endpoint)"
            )
        return self._make_judge()

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        scorer = self._judge if self.named is None else self.named.scorer
        return {self.metrics[0].name: scorer.score(prompts, answers)}

    def base(self, loading: Loading) -> Any:
        """The model as a directory or name, or `endpoint:NAME@URL`."""
        return open_model(self.model, loading)

    def identity(self) -> Json:
        about: dict[str, Any] = {
            "rows": len(self.loaded.records),
            "kind": self.loaded.kind,
            "shares": dict(self.shares),
        }
        return {"task": "file", **about, "scorer": self.named.spec if self.named else None}

    def summary(self) -> dict[str, Json]:
        report: dict[str, Any] = self.loaded.report.to_json()
        found: dict[str, Json] = {
            "file": self.path.name,
            "check": {key: report[key] for key in ("kind", "rows", "kept", "dropped")},
            "problems": report["problems"][:50],
            "rows": {split: len(self._splits[split]) for split in self.shares},
            "pairs": {split: len(self._pairs[split]) for split in self.shares},
            "prompts": {split: len(self.prompts(split)) for split in self.shares},
        }
        if self._pairs["test"] and not self.model.startswith(ENDPOINT):
            tokenizer = self.base(Loading()).tokenizer
            found["unigram entropy of chosen test answers, nats per token"] = _entropy(tokenizer, self._pairs["test"])
        return found


def _entropy(tokenizer: Any, pairs: Sequence[Pair]) -> float:
    """Of the tokens' own frequencies: what a model that ignores context reaches at best on this text."""
    counts = Counter(token for pair in pairs for token in encode_answer(tokenizer, pair.chosen))
    total = sum(counts.values())
    return -sum(count / total * math.log(count / total) for count in counts.values())
