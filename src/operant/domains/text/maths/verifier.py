"""A Scorer that knows the right answers: 1 for the same answer as the reference, 0 for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from operant.disk import read_json, write_json
from operant.domains.text.maths.answers import STYLES, final_answer
from operant.domains.text.maths.equal import Equality
from operant.domains.text.maths.symbolic import Symbolic
from operant.errors import UnknownName
from operant.meter import charge
from operant.schema import Answer, Prompt, Scale, Score

COLUMNS = ("targets", "target", "answer")
FILE = "operant_verifier.json"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Where answers stand."""

    answers: tuple[str, ...] = STYLES  # tried in this order
    references: tuple[str, ...] = ("hash", "boxed", "says")  # a reference that has none of these is taken whole

    def __post_init__(self) -> None:
        for style in (*self.answers, *self.references):
            if style not in STYLES:
                raise UnknownName("style of answer", style, STYLES)


class AnswerVerifier:
    """Checks final answers against `columns["targets"]` (any of them counts), "target" or "answer" of the prompt."""

    scale: Scale = "probability"

    def __init__(self, *, equality: Equality | None = None, reading: Reading | None = None):
        self.equality, self.reading = equality or Equality(), reading or Reading()
        self._symbolic = Symbolic()

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """1 right, 0 wrong, None where the reference is missing or cannot be read."""
        charge(verifier_calls=len(prompts))
        return [self._one(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """1 where only left is right, 0 where only right is, else 0.5."""
        ours, theirs = self.score(prompts, left), self.score(prompts, right)
        return [
            None if one.value is None or two.value is None else 0.5 + 0.5 * (one.value - two.value)
            for one, two in zip(ours, theirs, strict=True)
        ]

    def save(self, directory: Path) -> None:
        write_json(directory / FILE, {"equality": asdict(self.equality), "reading": asdict(self.reading)})

    @classmethod
    def load(cls, directory: Path) -> AnswerVerifier:
        stored = read_json(directory / FILE)
        reading = Reading(**{name: tuple(styles) for name, styles in stored["reading"].items()})
        return cls(equality=Equality(**stored["equality"]), reading=reading)

    def _one(self, prompt: Prompt, text: str) -> Score:
        given = next((prompt.columns[name] for name in COLUMNS if name in prompt.columns), None)
        if given is None or given == []:
            return Score(value=None, why=f"the prompt has none of the columns {', '.join(COLUMNS)}")
        verdicts = [self._same(text, str(one)) for one in (given if isinstance(given, list | tuple) else (given,))]
        return max(verdicts, key=lambda score: -1.0 if score.value is None else score.value)

    def _same(self, text: str, given: str) -> Score:
        reference = final_answer(given, styles=self.reading.references) or given
        found = final_answer(text, styles=self.reading.answers)
        verdict = self.equality(found or "", reference, symbolic=self._symbolic)
        return Score(value=None if verdict.same is None else float(verdict.same), why=verdict.why)
