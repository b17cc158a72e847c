"""Pairs mined from scores, by hand."""

from __future__ import annotations

from operant.rewards.best_worst import by_lot, mined
from operant.schema import Answer, Prompt, Score

PROMPT = Prompt(id="p", content="?")


def answers(*texts):
    return [Answer(value=text) for text in texts]


def one(texts, values, **how):
    found = mined([PROMPT], [answers(*texts)], [[Score(value=value) for value in values]], **how)
    return [(pair.chosen.value, pair.rejected.value) for pair in found.pairs], found.dropped


def test_the_best_stands_against_the_worst_and_of_equals_the_first():
    assert one("abcd", (1.0, 3.0, 3.0, -1.0)) == ([("b", "d")], 0)


def test_no_pair_of_equal_scores_or_texts_or_too_close_ones():
    assert one("ab", (1.0, 1.0)) == ([], 1)
    assert one("aa", (1.0, 2.0)) == ([], 1)
    assert one("ab", (1.0, 1.4), least=0.5) == ([], 1)
    assert one("ab", (1.0, 1.5), least=0.5) == ([("b", "a")], 0)


def test_unknown_scores_take_no_part():
    assert one("abc", (None, 1.0, 2.0)) == ([("c", "b")], 0)
    assert one("ab", (None, None)) == ([], 1)


def test_by_lot_any_two_different_answers_may_meet():
    drawn = [answers("a", "b", "a")]
    pairs = [by_lot([PROMPT], drawn, seed=seed).pairs[0] for seed in range(20)]
    assert {(pair.chosen.value, pair.rejected.value) for pair in pairs} == {("a", "b"), ("b", "a")}
    assert by_lot([PROMPT], [answers("a", "a")], seed=0) == ([], 1)
