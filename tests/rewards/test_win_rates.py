"""Win rates by hand, by points and by comparisons."""

from __future__ import annotations

from math import exp

import pytest

from operant.rewards.win_rates import by_comparing, by_grading, by_scoring, win_rates
from operant.schema import Answer, Prompt, Score

PROMPT = Prompt(id="p", content="?")


def answers(*texts):
    return [Answer(value=text) for text in texts]


def test_win_rates_by_hand():
    # 6 beats all four others; 5 beats two of four and ties with the other 5; 2 beats none
    assert win_rates([6, 5, 5, 4, 2]) == (1.0, (2 + 0.5) / 4, (2 + 0.5) / 4, 1 / 4, 0.0)


def test_a_grader_s_points_are_kept():
    (standing,) = by_grading(lambda _, many: [[3.0, 1.0] for _ in many])([PROMPT], [answers("a", "b")])
    assert standing.points == (3.0, 1.0) and standing.wins == (1.0, 0.0)


def longer(prompts, left, right):
    assert len(prompts) == len(left) == len(right)
    return [0.5 + 0.5 * ((len(a.value) > len(b.value)) - (len(a.value) < len(b.value)))
            for a, b in zip(left, right, strict=True)]  # fmt: skip


def test_every_two_answers_are_compared_once():
    asked = []

    def compare(prompts, left, right):
        asked.extend(frozenset((a.value, b.value)) for a, b in zip(left, right, strict=True))
        return longer(prompts, left, right)

    (standing,) = by_comparing(compare)([PROMPT], [answers("aaaa", "aaa", "aa", "a")])
    assert len(asked) == len(set(asked)) == 4 * 3 // 2
    # wins 3/3, 2/3, 1/3, 0: 6 times that in whole numbers
    assert standing.wins == pytest.approx((1.0, 2 / 3, 1 / 3, 0.0))
    assert standing.points == (6.0, 4.0, 2.0, 0.0)


def test_an_answer_does_not_beat_itself_and_is_not_asked_about():
    def refuse(prompts, left, right):
        assert all(a.value != b.value for a, b in zip(left, right, strict=True))
        return longer(prompts, left, right)

    (standing,) = by_comparing(refuse)([PROMPT], [answers("a", "a")])
    assert standing.wins == (0.5, 0.5)


def test_a_judge_of_places_is_right_half_of_the_time():
    prompts = [Prompt(id=str(at), content="?") for at in range(400)]
    found = by_comparing(lambda prompts, *_: [1.0] * len(prompts))(prompts, [answers("one", "two")] * 400)
    left = sum(one.wins[0] for one in found)
    assert 200 - 3 * 10 < left < 200 + 3 * 10  # standard deviation sqrt(400 / 4) = 10


def test_a_reward_compares_by_its_differences_and_is_asked_once():
    class Length:
        asked = 0

        def score(self, prompts, answers):
            self.asked += len(prompts)
            return [Score(value=None if one.value == "?" else float(len(one.value))) for one in answers]

    scorer = Length()
    standing, unknown = by_scoring(scorer)([PROMPT] * 2, [answers("aaa", "a", "b"), answers("a", "?")])
    # rewards 3, 1, 1: the first beats both others with sigmoid(2)
    high = 1 / (1 + exp(-2))
    assert standing.wins == pytest.approx((high, (1 - high + 0.5) / 2, (1 - high + 0.5) / 2))
    assert unknown is None and scorer.asked == 5


def test_groups_are_apart_and_an_unknown_verdict_drops_its_prompt():
    def compare(prompts, left, right):
        return [
            None if prompt.id == "x" else win for prompt, win in zip(prompts, longer(prompts, left, right), strict=True)
        ]

    prompts = [Prompt(id="x", content="?"), PROMPT]
    dropped, kept = by_comparing(compare)(prompts, [answers("a", "bb"), answers("a", "bb")])
    assert dropped is None and kept.wins == (0.0, 1.0)
    assert by_grading(lambda *_: [None])([PROMPT], [answers("a", "b")]) == [None]
