"""Lessons in certainty: their words byte for byte, and models that do and do not learn from them."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import NotApplicable
from operant.probes.answers import Question
from operant.probes.teaching import Lesson, Outcome, answer_after, errors_of, lessons, worth
from operant.schema import Prompt

SURE, UNSURE = "Sure it's", "Maybe it's"


def question(name, right="cat", other="dog"):
    return Question(Prompt(id=name, content=f"Q: {name}\nA:"), (right,), (other,))


LESSON = Lesson([question("1"), question("2")], [0.9, 0.2], SURE, UNSURE)


def test_a_lesson_by_hand():
    assert LESSON.text("both") == f"Q: 1\nA: {SURE} cat\n\nQ: 2\nA: {UNSURE} cat\n\n"
    assert LESSON.text("certain") == f"Q: 1\nA: {SURE} cat\n\nQ: 2\nA: cat\n\n"
    assert LESSON.text("uncertain") == f"Q: 1\nA: cat\n\nQ: 2\nA: {UNSURE} cat\n\n"


class Pupil:
    """Says what its examples said, at .8 against .1, and is right at .9 behind the certain phrase, at .6 else."""

    def logps(self, prompts, answers):
        return [(np.log(self.chance(p.content, str(a.value).strip())),) for p, a in zip(prompts, answers, strict=True)]

    def chance(self, prompt, text):
        if text in (SURE, UNSURE):
            return 0.8 if text in prompt else 0.1
        right = 0.9 if prompt.endswith(SURE) else 0.6
        return right if text == "cat" else 1 - right


def test_what_is_taught_is_said_and_answers_are_summed_over_it():
    kinds = ("certain", "uncertain")
    taught = {name: answer_after(Pupil(), LESSON, name, [question("3")], ends=True) for name in kinds}
    assert taught["certain"].certain[0] == pytest.approx(0.8 / 0.9)
    assert taught["uncertain"].certain[0] == pytest.approx(0.1 / 0.9)
    # nothing said with weight 1, sure with .8, maybe with .1; the weights add up to 1.9
    assert taught["certain"].confidence[0] == pytest.approx((0.6 + 0.8 * 0.9 + 0.1 * 0.6) / 1.9)
    assert taught["uncertain"].confidence[0] == pytest.approx((0.6 + 0.1 * 0.9 + 0.8 * 0.6) / 1.9)
    assert taught["certain"].correct[0] == 1.0


def test_a_conversation_cannot_be_shown_examples():
    talk = Question(Prompt(id="t", content=({"role": "user", "content": "a"},)), ("cat",), ("dog",))
    with pytest.raises(NotApplicable, match="study=inject"):
        answer_after(Pupil(), LESSON, "both", [talk], ends=True)


def outcome(confidence, correct, certain):
    return Outcome(*(np.array(one, dtype=float) for one in (confidence, correct, certain)))


def test_the_error_of_one_less_another():
    good = outcome([0.9] * 10, [1] * 9 + [0], [0.5] * 10)  # right as often as it says
    sure = outcome([0.9] * 10, [1] * 5 + [0] * 5, [0.5] * 10)  # .9 - .5
    rng = np.random.default_rng(0)
    assert errors_of(good, rng)[0] == pytest.approx(0)
    effect, low, high = errors_of(sure, rng, less=good)
    assert effect == pytest.approx(0.4) and low < 0.4 < high


def test_what_words_are_worth():
    # right where certain was said, wrong where not: slope 1 on a probability of 0 or 1
    assert worth(outcome([0.9] * 40, [1] * 20 + [0] * 20, [1] * 20 + [0] * 20)).effect == pytest.approx(1.0)
    nothing = worth(outcome([0.9] * 40, [1, 0] * 20, [1] * 20 + [0] * 20))
    assert nothing.effect == pytest.approx(0.0) and nothing.low < 0 < nothing.high
    assert worth(outcome([0.9] * 4, [1, 0, 1, 0], [0.5] * 4)).effect == 0.0  # never said otherwise


def test_findings_of_lessons():
    sure, good = outcome([0.9] * 20, [1] * 10 + [0] * 10, [0.9] * 20), outcome([0.5] * 20, [1, 0] * 10, [0.1] * 20)
    found = {one.key: one for one in lessons({"certain": sure, "uncertain": good, "both": good},
                                             np.random.default_rng(0))}  # fmt: skip
    assert found["ece"].effect == pytest.approx(0.4 - 0.0)
    assert found["accuracy certain"].effect == found["accuracy uncertain"].effect == 0.5
    assert found["taught"].power is not None
