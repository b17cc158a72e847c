"""Rewards of keywords and ROUGE, by hand."""

from __future__ import annotations

import pytest

from operant.rewards.keyword_steps import hits, step_rewards
from operant.rewards.rouge import rouge_l, rouge_mean, rouge_n

REFERENCE = "Lee resigned over bribery"


def steps(hint):
    return step_rewards(hint, REFERENCE, usable=lambda word: len(word) > 2)


def test_a_hit_a_miss_and_a_repeat():
    assert steps("lee; obama; lee;") == [1.0, -0.2, -0.2]
    assert (hits(steps("lee; obama; lee;")), hits([]).precision) == ((1, 2), None)
    assert hits(steps("lee; bribery;")).precision == 1


def test_what_no_separator_closes_is_not_due_and_what_says_nothing_costs():
    assert steps("lee") == []
    assert steps("; er;") == [-0.2, -0.2]  # nothing at all, and two letters that stand in every text


def test_rouge_by_hand():
    # words: the cat sat / the cat ran off; common 1-grams 2 of 3 and 4; 2-grams 1 of 2 and 3; longest common "the cat"
    one, two = "The cat sat.", "the cat ran off"
    assert rouge_n(one, two, 1) == 2 * 2 / (3 + 4)
    assert rouge_n(one, two, 2) == 2 * 1 / (2 + 3)
    assert rouge_l(one, two) == 2 * 2 / (3 + 4)
    assert rouge_mean(one, two) == pytest.approx((4 / 7 + 2 / 5 + 4 / 7) / 3)


def test_a_subsequence_need_not_be_in_one_piece_but_in_order():
    assert rouge_l("a b c", "a x c") == 2 * 2 / 6
    assert rouge_l("c a", "a c") == 2 * 1 / 4
    assert rouge_l("", "a") == rouge_n("", "", 1) == 0
