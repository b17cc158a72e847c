"""Preferences with a strength: whose side a sign is on, what votes agree on, what is refused."""

from __future__ import annotations

import pytest

from operant.data.check import check
from operant.data.codes import Flaw
from operant.data.load import load
from operant.data.strength import agreed_strength

ROW = {"prompt": "Say hi", "response_1": "Hi!", "response_2": "No."}


@pytest.mark.parametrize(
    "votes, agreed",
    [
        ([1, 1, 3], 2),  # spread 2 is kept; mean 5/3
        ([-3, 0, 2], None),  # spread 5
        ([0, 0, 1], 0),  # mean 1/3: a near tie
        ([-3, 2, 2, 3], 2),  # the three most similar: 2, 2, 3, mean 7/3
        ([-2, -1, 0, 1, 2], 0),  # three threes of spread 2; the one around the mean of all
        ([-3, -3, -2, 3, 3], -3),  # mean -8/3; the other two are outvoted
    ],
)
def test_the_three_most_similar_votes_decide(votes, agreed):
    assert agreed_strength(votes) == agreed
    assert agreed_strength(votes[::-1]) == agreed


def test_two_votes_are_too_few():
    with pytest.raises(Flaw, match="2 votes; expected at least 3"):
        agreed_strength([1, 1])


def test_below_zero_the_first_answer_is_better(write):
    first, second = load(write([ROW | {"preference_strength": -3}, ROW | {"preference_strength": "1"}])).records
    assert (first.chosen, first.rejected, first.margin, first.chosen_was) == ("Hi!", "No.", 3.0, 1)
    assert (second.chosen, second.rejected, second.margin, second.chosen_was) == ("No.", "Hi!", 1.0, 2)


def test_ratings_follow_their_answers(write):
    rated = ROW | {"score_1": 1, "score_2": 4}
    rows = [rated | {"preference_strength": 2}, rated | {"preference_strength": -2}]
    assert [record.ratings for record in load(write(rows)).records] == [(4.0, 1.0), (1.0, 4.0)]


def test_ties_and_disagreement_are_dropped_and_counted(write):
    rows = [ROW | {"preference_strength": value} for value in (1, 0, [0, 0, 1], [-3, 0, 2], None, [1, 1, 3])]
    report = check(write(rows))
    assert report.dropped == {"tie": 2, "no_verdict": 2} and report.kept == 2


@pytest.mark.parametrize("strength", [4, 1.5, "much", True, [1, 1, 7]])
def test_other_strengths_are_refused(write, strength):
    report = check(write([ROW | {"preference_strength": 1}, ROW | {"preference_strength": strength}]))
    assert report.counts["unknown_verdict"] == 1
