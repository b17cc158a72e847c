"""Orders of memories by hand; what cancels; what has no direction."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue, NotApplicable, OperantError
from operant.prompting.memories import (
    Bank,
    Distances,
    Memory,
    Retrieval,
    combined,
    distances_to,
    mood_share,
    ranked,
    unit,
    word_vectors,
)

TOY = Distances(np.array([0.2, 0.5, 0.9]), np.array([0.9, 0.3, 0.1]))


def order(distances=TOY, **how):
    return ranked(distances, Retrieval(**how))


def test_the_toy_by_hand():
    # sums 1.1, 0.8, 1.0; products 0.18, 0.15, 0.09
    assert order(strategy="meaning") == [0, 1, 2]
    np.testing.assert_allclose(combined(TOY, Retrieval()), [0.2 + 0.9, 0.5 + 0.3, 0.9 + 0.1])
    assert order(strategy="add") == [1, 2, 0]
    np.testing.assert_allclose(combined(TOY, Retrieval(strategy="multiply")), [0.2 * 0.9, 0.5 * 0.3, 0.9 * 0.1])
    assert order(strategy="multiply") == [2, 1, 0]


def test_the_second_ranking_sees_what_the_first_one_keeps():
    assert order(strategy="meaning-first", k=1, pool=2) == [1]  # of m1 and m2, m2 is nearer in mood
    assert order(strategy="mood-first", k=1, pool=2) == [1]  # of m3 and m2, m2 is nearer in meaning
    assert order(strategy="mood-first", k=1, pool=1) == [2]


def drawn(count=60, seed=0):
    rng = np.random.default_rng(seed)
    return Distances(rng.uniform(0, 2, count), rng.uniform(0, 2, count))


def test_two_rankings_keep_within_their_first():
    found = drawn()
    by_meaning, by_mood = ({int(at) for at in np.argsort(side)[:20]} for side in found)
    assert set(order(found, strategy="meaning-first")) <= by_meaning
    assert set(order(found, strategy="mood-first")) <= by_mood


def test_one_mood_for_all_leaves_the_order_of_meaning_and_makes_a_product_idle():
    same = Distances(drawn().meaning, np.zeros(60))
    for strategy in ("add", "meaning-first", "standardised"):
        assert order(same, strategy=strategy)[:10] == order(drawn(), strategy="meaning") or strategy == "meaning-first"
    assert order(same, strategy="meaning-first") == order(same, strategy="meaning")
    with pytest.warns(UserWarning, match="product is 0"):
        assert order(same, strategy="multiply") == list(range(10))


def test_a_small_bank_comes_back_whole_whatever_the_order():
    small = drawn(8)
    for strategy in ("add", "multiply", "meaning-first", "mood-first", "standardised", "meaning"):
        assert sorted(order(small, strategy=strategy)) == list(range(8))


def test_equal_distances_keep_the_order_of_the_bank():
    assert order(Distances(np.zeros(4), np.zeros(4) + 0.5), k=3) == [0, 1, 2]


def test_weights_of_a_standardised_sum_reach_from_one_channel_to_the_other():
    found = drawn()
    assert order(found, strategy="standardised", mood_weight=0.0) == order(found, strategy="meaning")
    whole = order(found, strategy="standardised", mood_weight=1.0)
    assert whole == [int(at) for at in np.argsort(found.mood)[:10]]
    with pytest.raises(BadValue, match="mood_weight"):
        Retrieval(mood_weight=0.3)
    with pytest.raises(BadValue, match="k is 30"):
        Retrieval(k=30)


def test_distances_of_unit_vectors_by_hand():
    # meanings at 0 and 90 degrees: 0 and sqrt 2; d^2 = 2 - 2 cos. Moods along, across and against: 0, 1, 2
    meanings = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    moods = unit(np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]), what="moods")
    found = distances_to(np.array([1.0, 0.0]), (1.0, 0.0), meanings, moods)
    np.testing.assert_allclose(found.meaning**2, [2 - 2 * 1, 2 - 2 * 0, 2 - 2 * 0.6], atol=1e-12)
    np.testing.assert_allclose(found.mood, [0, 1, 2], atol=1e-12)
    longer = distances_to(np.array([1.0, 0.0]), (7.0, 0.0), meanings, moods)
    np.testing.assert_allclose(longer.mood, found.mood)  # length of an emotion does not matter


def test_what_the_mood_decides_of_a_sum():
    assert mood_share(Distances(np.array([0.0, 2.0]), np.array([0.0, 6.0]))) == pytest.approx(3 / (1 + 3))
    assert mood_share(Distances(np.ones(3), np.ones(3))) == 0


def test_no_direction_no_number_and_mixed_lengths_are_refused():
    with pytest.raises(OperantError, match="vector 1 of moods is zero"):
        unit(np.array([[1.0], [0.0]]), what="moods")
    with pytest.raises(OperantError, match="no finite number"):
        unit(np.array([[np.nan]]), what="moods")
    mixed = [Memory("a", "x", "a", (1.0,)), Memory("b", "x", "b", (1.0, 2.0))]
    with pytest.raises(BadValue, match="one length"):
        Bank(mixed, word_vectors(["a"]))


def test_memories_of_others_the_query_itself_and_its_dialogue_stay_out():
    made = [Memory("1", "ada", "a b", (1.0,), "d1"), Memory("2", "ada", "a c", (1.0,), "d2"),
            Memory("3", "ben", "a", (1.0,))]  # fmt: skip
    bank = Bank(made, word_vectors([one.text for one in made]))
    assert bank.places("ada") == [0, 1]
    assert bank.places("ada", but="1") == [1]
    assert bank.places("ada", dialogue="d2") == [0]
    with pytest.raises(NotApplicable, match="nobody called 'cleo'"):
        bank.places("cleo")


def test_words_in_common_are_near_and_rare_ones_nearer():
    embed = word_vectors(["the cat sat", "the dog sat", "the owl"])
    cat, dog, owl, query, unknown = embed(["the cat sat", "the dog sat", "the owl", "cat", "zebra"])
    near = [float(np.linalg.norm(query - one)) for one in (cat, dog, owl)]
    assert near[0] < min(near[1:])
    assert np.linalg.norm(unknown) == pytest.approx(1)  # and never zero
