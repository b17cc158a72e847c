"""Emotion vectors and questionnaires, by hand."""

from __future__ import annotations

import pytest

from operant.domains.affect.emotions import LEXICON, PLUTCHIK, by_lexicon, centred, read_scores
from operant.domains.affect.questionnaire import Item, agreement, dimension_scores, letters, percent
from operant.errors import BadValue


def test_a_text_has_the_mean_of_its_words_moods():
    sad, calm = LEXICON["sad"], LEXICON["calm"]
    assert by_lexicon("Sad, but calm.") == tuple((one + two) / 2 for one, two in zip(sad, calm, strict=True))
    assert by_lexicon("the table is round") is None


def test_scores_have_their_floor_taken_off_and_gaps_filled():
    # joy 7 - 1, anger 2 - 1, all others 1 - 1
    found = read_scores('Sure: {"Joy": 7, "anger": 2, "extra": 5}')
    assert found == tuple({"joy": 6.0, "anger": 1.0}.get(name, 0.0) for name in PLUTCHIK)
    assert read_scores('{"joy": 40}')[0] == 10 - 1


def test_what_is_no_score_is_no_emotion():
    for reply in ("none", "{joy: 3}", "{}", '{"joy": 1}', '{"joy": "high"}'):
        assert read_scores(reply) is None


def test_centred_vectors_add_up_to_nothing():
    assert centred([(1.0, 3.0), (3.0, 5.0)]) == [(-1.0, -1.0), (1.0, 1.0)]


ITEMS = (Item("E"), Item("E", reverse=True), Item("N"))


def test_a_reverse_keyed_item_is_turned_round():
    # on 1 to 5: E (4 + (1 + 5 - 2)) / 2 = 4, N 1
    assert dimension_scores(ITEMS, (4, 2, 1), low=1, high=5) == {"E": (4 + 4) / 2, "N": 1}
    assert dimension_scores(ITEMS, (None, 2, None), low=1, high=5) == {"E": 4}
    with pytest.raises(BadValue, match="1 to 5"):
        dimension_scores(ITEMS, (4, 2, 6), low=1, high=5)


def test_letters_and_agreement_by_hand():
    sides = {"E": ("E", "I"), "N": ("N", "S")}
    percents = {"E": percent(4, low=1, high=5), "N": percent(3, low=1, high=5)}
    assert percents == {"E": 75, "N": 50}
    assert letters(percents, sides) == "ES"  # exactly 50 is below
    # labels 60 and 90: E on the same side, N not; gaps 15 and -40
    found = agreement(percents, {"E": 60, "N": 90})
    assert found == (1 / 2, False, (15**2 + 40**2) / 2, (15 + 40) / 2)
    with pytest.raises(BadValue, match="dimensions"):
        agreement({"E": 1.0}, {"N": 2.0})
