"""Worked examples that say how sure one is: does a model then say so itself, and is it right when it does?

Source: Zhou et al. 2023, arXiv:2302.13439: examples carry a certain or uncertain phrase according to whether the
model's own probability of the right answer exceeds one half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from operant.errors import NotApplicable
from operant.probes.answers import Question, Slot, has_weights, log_probabilities, slot
from operant.probes.findings import Probed, probed, seen
from operant.probes.usage import PLANTED, RESAMPLES, resampled
from operant.schema import Generator
from operant.stats.confidence import calibration_error
from operant.stats.crossed import Contrast, Trials, again, over_items

Taught = Literal["certain", "uncertain", "both"]
TAUGHT: tuple[Taught, ...] = ("certain", "uncertain", "both")
SURE = 0.5  # of the model's own probability of the right answer
Array = np.ndarray


class Lesson(NamedTuple):
    """Worked examples, and how sure the model itself was of each."""

    examples: Sequence[Question]
    own: Sequence[float]
    certain: str  # the phrases
    uncertain: str

    def text(self, taught: Taught) -> str:
        """The examples as text, an empty line behind each. A phrase that is not taught is left out."""
        parts = []
        for question, chance in zip(self.examples, self.own, strict=True):
            sure = chance > SURE
            phrase = self.certain if sure else self.uncertain
            here = slot(question.prompt, phrase if taught in ("both", "certain" if sure else "uncertain") else "")
            parts.append(f"{here.prompt.content}{here.answer(question.accepted[0])}\n\n")
        return "".join(parts)


class Outcome(NamedTuple):
    """Of every question under one lesson, [questions] each."""

    confidence: Array  # probability of the answer that was given, within the answer set, whatever was said before it
    correct: Array  # whether it is right
    certain: Array  # probability of the certain phrase against the uncertain one

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        """One set of questions after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def answer_after(
    model: Generator, lesson: Lesson, taught: Taught, questions: Sequence[Question], *, ends: bool
) -> Outcome:  # fmt: skip
    """Every question behind the lesson: nothing, the certain or the uncertain phrase may be said, then the answer.

    The answer is the likeliest of the set, summed over what may be said before it.
    """
    if any(not isinstance(question.prompt.content, str) for question in (*lesson.examples, *questions)):
        raise NotApplicable("worked examples are shown in texts; a conversation needs study=inject")
    before, phrases = lesson.text(taught), ("", lesson.certain, lesson.uncertain)
    begun, slots, texts = has_weights(model), list[Slot](), list[str]()
    for question in questions:
        asked = replace(question.prompt, content=before + str(question.prompt.content))
        for phrase in phrases:
            slots += [slot(asked, phrase, begun=begun)] * len(question.answers)
            texts += question.answers
    said = [slot(replace(q.prompt, content=before + str(q.prompt.content)), "") for q in questions for _ in phrases]
    openings = iter(_openings(model, said, phrases))
    flat = iter(log_probabilities(model, slots, texts, ends=ends))
    rows = []
    for question in questions:
        joint = np.array([[next(flat) for _ in question.answers] for _ in phrases])
        spoken = np.array([next(openings) for _ in phrases])
        rows.append(_outcome(joint + spoken[:, None], spoken, len(question.accepted)))
    return Outcome(*map(np.array, zip(*rows, strict=True)))


def _openings(model: Generator, slots: Sequence[Slot], phrases: Sequence[str]) -> list[float]:
    """Log-probability of beginning with each phrase; 0 for nothing, which excludes nothing."""
    spoken = [(one, phrases[place % len(phrases)]) for place, one in enumerate(slots)]
    asked = [(one, phrase) for one, phrase in spoken if phrase]
    found = iter(log_probabilities(model, [one for one, _ in asked], [phrase for _, phrase in asked], ends=False))
    return [next(found) if phrase else 0.0 for _, phrase in spoken]


def _outcome(joint: Array, spoken: Array, accepted: int) -> tuple[float, float, float]:
    """Confidence, correctness and certainty from [phrases, answers] log-probabilities."""
    chances = np.exp(joint - joint.max())
    each = chances.sum(0) / chances.sum()
    certain = 1 / (1 + np.exp(np.clip(spoken[2] - spoken[1], -500, 500)))
    return float(each.max()), float(each.argmax() < accepted), float(certain)


# Findings


def lessons(outcomes: Mapping[Taught, Outcome], rng: np.random.Generator) -> list[Probed]:
    """Accuracy and calibration error under every lesson, certain less uncertain, and what the words are worth."""
    found = []
    for taught, one in outcomes.items():
        low, high = resampled(one.correct[None], rng=rng)
        found.append(Probed(key=f"accuracy {taught}", name=f"accuracy, {taught} phrases taught",
                            effect=float(one.correct.mean()), low=low, high=high, unit="share"))  # fmt: skip
        error = errors_of(one, rng)
        found.append(Probed(key=f"ece {taught}", name=f"calibration error, {taught} phrases taught",
                            effect=error[0], low=error[1], high=error[2], unit="probability"))  # fmt: skip
    first, second = outcomes["certain"], outcomes["uncertain"]
    error = errors_of(first, rng, less=second)
    found.append(Probed(key="ece", name="calibration error, certain less uncertain phrases taught", effect=error[0],
                        low=error[1], high=error[2], unit="probability"))  # fmt: skip
    gains = first.correct - second.correct

    def test(effect: float, runs: int) -> Trials:
        return again(gains, effect=effect, runs=runs, rng=rng)

    told = "accuracy, certain less uncertain phrases taught"
    found.append(probed("taught", told, over_items(gains), unit="share", trust=seen(test, planted=PLANTED)))
    both = outcomes["both"]
    found.append(probed("words", "right answers where certain was said less where not, both phrases taught",
                        worth(both), unit="share"))  # fmt: skip
    return found


def errors_of(
    one: Outcome, rng: np.random.Generator, *, less: Outcome | None = None
) -> tuple[float, float, float]:  # fmt: skip
    """Calibration error, or how much more it is than another's, with a percentile interval over questions."""

    def error(places: np.ndarray) -> float:
        own = calibration_error(one.confidence[places], one.correct[places])
        return own - (calibration_error(less.confidence[places], less.correct[places]) if less else 0.0)

    items = len(one.correct)
    many = [error(rng.integers(items, size=items)) for _ in range(RESAMPLES)]
    low, high = np.quantile(many, [0.025, 0.975])
    return error(np.arange(items)), float(low), float(high)


def worth(one: Outcome) -> Contrast:
    """Slope of being right on the probability of the certain phrase: 0 where the words say nothing."""
    spread = one.certain - one.certain.mean()
    total = float((spread**2).sum())
    weight = spread / total * len(spread) if total > 1e-12 else np.zeros_like(spread)
    return over_items(weight * (one.correct - one.correct.mean()))
