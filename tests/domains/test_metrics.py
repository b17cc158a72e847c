"""Diversity of a set of texts, by hand."""

from math import exp, sqrt

import pytest

from operant.domains.text.metrics import distinct, self_bleu, words


def test_distinct_by_hand():
    # a b a | b: 4 words, 2 different; 2 pairs of neighbours, ab and ba (none crosses texts)
    assert distinct(["a b a", "b"], 1) == 2 / 4
    assert distinct(["a b a", "b"], 2) == 2 / 2
    assert distinct(["a b", "a b", "a b"], 2) == 1 / 3
    assert distinct(["a", "b"], 2) is None and distinct([], 1) is None and distinct([""], 1) is None


def test_self_bleu_by_hand():
    # "a b c" against "a b d": words 2 of 3, pairs (1 + 1) of (2 + 1); equal length. sqrt(2/3 * 2/3), and alike back.
    assert self_bleu(["a b c", "a b d"], order=2) == pytest.approx(2 / 3)
    # "a" against "a b": 1 of 1, but half as long: exp(1 - 2/1). "a b" against "a": 1 of 2, longer: no penalty.
    assert self_bleu(["a", "a b"], order=1) == pytest.approx((exp(-1) + 1 / 2) / 2)
    # a word counts as often as some other text has it: "a a" has 1 of 2 against "a b", "a b" 1 of 2 against "a a"
    assert self_bleu(["a a", "a b"], order=1) == pytest.approx(1 / 2)
    # "a b" against "b a": words 2 of 2, pairs (0 + 1) of (1 + 1)
    assert self_bleu(["a b", "b a"], order=2) == pytest.approx(sqrt(1 / 2))


def test_self_bleu_at_its_ends():
    assert self_bleu(["a b c d e"] * 4) == pytest.approx(1)
    assert self_bleu(["a b", "c d"]) == 0.0
    assert self_bleu(["", ""]) == 0.0
    assert self_bleu(["a"]) is None and self_bleu([]) is None


def test_the_nearest_length_and_the_best_reference_count():
    # "a b c" against "a" and "x b c d": 1 of 3 by the first, 2 by the second, 3 together. Lengths 1 and 4: 4 is nearer.
    others = ["a", "x b c d"]
    three = self_bleu(["a b c", *others], order=1) * 3
    alone = exp(1 - 4 / 3)
    # "a": 1 of 1, nearest 3: exp(1 - 3). "x b c d": b and c of 4, nearest 3: no penalty.
    assert three == pytest.approx(alone + exp(-2) + 2 / 4)


def test_only_those_that_follow_are_read():
    # one reference each, the next in the circle: a|a 1, a|b 0, b|a 0
    assert self_bleu(["a", "a", "b"], order=1, references=1) == pytest.approx(1 / 3)
    assert self_bleu(["a", "a", "b"], order=1) == pytest.approx(2 / 3)


def test_words_are_split_at_white_space():
    assert words("  it is\tred .\n") == ["it", "is", "red", "."] and words("") == []
