"""The trivial judge: longer wins, a tie is a tie."""

from __future__ import annotations

from operant.rewards.judges import LongerWins
from tables import answers, prompts


def test_the_score_is_the_number_of_characters():
    found = LongerWins().score(prompts("p", "p", "p"), answers("", "ab", "a b "))
    assert [one.value for one in found] == [0.0, 2.0, 4.0]


def test_the_longer_answer_wins_whatever_the_side():
    judge = LongerWins()
    left, right = answers("long", "a", "same"), answers("no", "abc", "four")
    assert judge.compare(prompts("p", "p", "p"), left, right) == [1.0, 0.0, 0.5]
    assert judge.compare(prompts("p", "p", "p"), right, left) == [0.0, 1.0, 0.5]


def test_its_scale_claims_no_probability():
    assert LongerWins().scale == "raw"
