"""Probabilities of one answer: given, among labels, and as shares of drawn answers; and what a reader is warned of."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from operant.probes.decisions import SAMPLES, Tally, decide
from operant.probes.shapley import binomial
from operant.schema import Answer, Prompt

CHANCES = {"yes": 0.3, "no": 0.1}


class Given:
    def logps(self, prompts, answers):
        return [(log(CHANCES[str(one.value).strip()]),) for one in answers]


class Drawn:
    """No log-probabilities; every fourth answer is yes."""

    def logps(self, prompts, answers):
        return None

    def answer(self, prompts, *, n, decoding, seed):
        assert len({one.id for one in prompts}) == len(prompts)  # each text draws for itself
        return [[Answer(value="Yes!" if place % 4 == 0 else "never") for place in range(n)] for _ in prompts]


def asked(*texts):
    return [Prompt(id="p", content=text) for text in texts]


def test_one_answer_has_its_own_probability():
    tally = Tally()
    assert decide(Given(), asked("a", "b"), ["yes"], ends=True, seed=0, tally=tally) == pytest.approx([0.3, 0.3])
    assert tally.warnings() == []


def test_among_labels_and_what_is_outside_them():
    tally = Tally()
    found = decide(Given(), asked("a", "b"), ["yes", "no"], ends=True, seed=0, tally=tally)
    assert found == pytest.approx([0.3 / 0.4] * 2)
    assert tally.warnings() == [
        "other answers than the labels have 0.6 of the probability",
        "in 2 of 2 texts the labels have less than 0.5 together",
    ]


def test_shares_of_drawn_answers_and_their_noise():
    tally = Tally()
    found = decide(Drawn(), asked("a", "b"), ["yes"], ends=True, seed=0, tally=tally)
    assert found.tolist() == [0.25, 0.25]
    assert tally.warnings() == [f"values are shares of {SAMPLES} answers"]
    # 5 of 20, with one of each added 6 of 22
    assert tally.noise(found) == pytest.approx([6 / 22 * 16 / 22 / SAMPLES] * 2)
    assert tally.noise(found) == pytest.approx(binomial(SAMPLES)(found))
    assert Tally().noise(np.array([0.3])) == 0


def test_an_answer_that_is_never_given_is_counted():
    tally = Tally()
    tally.heard([Prompt(id="p", content=""), Prompt(id="q", content="")], np.array([0.0, 0.0]))
    tally.heard([Prompt(id="p", content="")], np.array([0.4]))
    assert tally.warnings() == ["1 of 2 prompts never have their answer, whatever is left out"]
