"""Scores of short answers against accepted ones, as for Instruction Induction: exact, F1, set, containment.

Source: Honovich et al. 2022, arXiv:2205.10782, as the evaluation code of EmotionPrompt and NegativePrompt uses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from operant.disk import write_json
from operant.domains.text.maths.answers import cleaned
from operant.errors import UnknownName
from operant.meter import charge
from operant.schema import Answer, Prompt, Scale, Score

FILE = "operant_match.json"
COLUMNS = ("targets", "target", "answer")
CONTRACTIONS = {"don't": "do not", "can't": "can not", "doesn't": "does not", "wasn't": "was not",
                "weren't": "were not"}  # fmt: skip
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def normalised(text: str) -> str:
    """The first sentence of the first line, in lower case, hyphens as spaces, without punctuation and " and ".

    A stated confidence ("Confidence score: 0.9") is left out first: EP01 asks for one.
    """
    lines = [line for line in cleaned(text).splitlines() if line.strip()]
    first = _SENTENCE.split(lines[0].strip(), maxsplit=1)[0].lower() if lines else ""
    for short, long in CONTRACTIONS.items():
        first = first.replace(short, long)
    plain = _PUNCTUATION.sub("", first.replace("-", " ").replace(" and ", " "))
    return " ".join(plain.split())


def exact(text: str, targets: Sequence[str]) -> float:
    """1 where the normalised text is one of the targets, else 0."""
    return float(normalised(text) in {normalised(target) for target in targets})


def token_f1(text: str, targets: Sequence[str]) -> float:
    """The best over targets of 2 x common words / words of both, with repeats; 0 to 1."""
    return max(_f1(normalised(text).split(), normalised(target).split()) for target in targets)


def _f1(ours: list[str], theirs: list[str]) -> float:
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def exact_set(text: str, targets: Sequence[str]) -> float:
    """1 where text and some target have the same words, in any order and number."""
    return float(set(normalised(text).split()) in [set(normalised(target).split()) for target in targets])


def contains(text: str, targets: Sequence[str]) -> float:
    """1 where some target stands in the text, at word boundaries."""
    found = f" {normalised(text)} "
    return float(any(f" {wanted} " in found for target in targets if (wanted := normalised(target))))


Match = Callable[[str, Sequence[str]], float]
METRICS: dict[str, Match] = {"exact": exact, "f1": token_f1, "set": exact_set, "contains": contains}
OF_TASK = {"common_concept": "f1", "informal_to_formal": "f1", "taxonomy_animal": "set", "synonyms": "contains"}


class InductionMatch:
    """Scores answers by the metric that the prompt's column `metric` names, or its column `task`; else exact match."""

    scale: Scale = "probability"

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """0 to 1; None where the prompt holds no accepted answer."""
        charge(verifier_calls=len(prompts))
        return [self._one(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """1 where left scores higher, 0 where right does, else 0.5."""
        both = zip(self.score(prompts, left), self.score(prompts, right), strict=True)
        return [
            None
            if one.value is None or two.value is None
            else (1 + (one.value > two.value) - (one.value < two.value)) / 2
            for one, two in both
        ]

    def save(self, directory: Path) -> None:
        write_json(directory / FILE, {"kind": "match"})

    @classmethod
    def load(cls, directory: Path) -> InductionMatch:
        assert (directory / FILE).is_file()
        return cls()

    def _one(self, prompt: Prompt, text: str) -> Score:
        targets = targets_of(prompt)
        if not targets:
            return Score(value=None, why=f"the prompt has no accepted answer in {', '.join(COLUMNS)}")
        return Score(value=metric_of(prompt)(text, targets))


def _wins(left: Score, right: Score) -> float | None:
    if left.value is None or right.value is None:
        return None
    return 0.5 + 0.5 * ((left.value > right.value) - (left.value < right.value))


def targets_of(prompt: Prompt) -> tuple[str, ...]:
    """The answers that count as right; empty where there are none."""
    given = next((prompt.columns[name] for name in COLUMNS if prompt.columns.get(name) is not None), ())
    return tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given),)


def metric_of(prompt: Prompt) -> Match:
    name = prompt.columns.get("metric") or OF_TASK.get(str(prompt.columns.get("task")), "exact")
    if name not in METRICS:
        raise UnknownName("metric of a prompt", str(name), METRICS)
    return METRICS[name]
