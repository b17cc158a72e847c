"""Votes by hand: ties, answers that cannot be read, one vote."""

from __future__ import annotations

import tiny
from operant.decoding.majority import Majority, elected
from operant.domains.text.maths.answers import final_answer
from operant.schema import Answer, Decoding


def read(text):
    return final_answer(text, styles=("boxed",))


def said(*texts):
    return elected([Answer(value=text) for text in texts], read)


def test_the_most_frequent_answer_wins_and_of_equals_the_first():
    won = said("so \\boxed{3}", "\\boxed{4}", "\\boxed{3}, as it were")
    assert (won.value, won.trace) == ("so \\boxed{3}", {"votes": {"3": 2, "4": 1}, "unread": 0})
    assert said("\\boxed{4}", "\\boxed{3}", "\\boxed{3}", "\\boxed{4}").value == "\\boxed{4}"


def test_what_holds_no_answer_does_not_vote():
    won = said("no", "no", "\\boxed{3}")
    assert (won.value, won.trace["unread"]) == ("\\boxed{3}", 2)
    assert said("one", "two").value == "one"  # there is nothing else


def test_one_vote_at_temperature_0_is_greedy():
    prompts, greedy = tiny.graded().prompts("test"), Decoding(max_tokens=4, temperature=0)
    base = tiny.base()
    voted = Majority(base, read, votes=1).answer(prompts, n=2, decoding=greedy, seed=3)
    plain = base.answer(prompts, n=2, decoding=greedy, seed=0)
    assert [[one.value for one in many] for many in voted] == [[one.value for one in many] for many in plain]


def test_every_answer_has_votes_of_its_own_and_its_own_temperature():
    seen = []

    class Base:
        def answer(self, prompts, *, n, decoding, seed):
            seen.append((n, decoding.temperature, seed))
            return [[Answer(value="\\boxed{1}")] * n for _ in prompts]

    answers = Majority(Base(), read, votes=5, temperature=0.7).answer(
        tiny.graded().prompts("test")[:2], n=3, decoding=Decoding(temperature=0), seed=0
    )
    assert [len(many) for many in answers] == [3, 3]
    assert [one[:2] for one in seen] == [(5, 0.7)] * 3 and len({one[2] for one in seen}) == 3
