"""Prompts as games: every background by hand, byte for byte, and that a text is asked once."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue, OperantError, UnknownName
from operant.probes.games import Played, PromptGame, logit, logit_utilities, one_less, spearman
from operant.probes.shapley import from_all, shapley_coefficients

TEMPLATE = "Fly {{ price }} in {{class}}, {{ city }}.\nChoose:"
FIELDS = {"price": "90", "class": "business", "city": "to Rome"}


def game(**settings):
    return PromptGame(template=TEMPLATE, fields=FIELDS, **settings)


def test_everybody_inside_is_the_prompt_itself():
    assert game().render([True] * 3) == "Fly 90 in business, to Rome.\nChoose:"


def test_backgrounds_by_hand():
    assert game().render([False, True, True]) == "Fly in business, to Rome.\nChoose:"
    assert game().render([True, True, False]) == "Fly 90 in business,.\nChoose:"
    assert game(background="mask").render([False, True, False]) == "Fly _ in business, _.\nChoose:"
    some = game(background="neutral", neutral=dict.fromkeys(FIELDS, "some"))
    assert some.render([True, False, True]) == "Fly 90 in some, to Rome.\nChoose:"


def test_only_what_was_dropped_is_mended():
    one = PromptGame(template="a  b {{ x }}  c\n\n\nd", fields={"x": "y"})
    assert one.render([True]) == "a  b y  c\n\n\nd"
    assert one.render([False]) == "a  b  c\n\n\nd"
    last = PromptGame(template="a {{ x }} {{ y }}", fields={"x": "1", "y": "2"})
    assert [last.render(row) for row in ([1, 0], [0, 1], [0, 0])] == ["a 1", "a 2", "a"]
    line = PromptGame(template="{{ x }}\n{{ y }}\nz", fields={"x": "1", "y": "2"})
    assert [line.render(row) for row in ([1, 0], [0, 1], [0, 0])] == ["1\nz", "2\nz", "z"]


def test_a_draw_gives_every_coalition_the_same_background():
    values = {"price": ("10", "50"), "class": ("economy", "first"), "city": ("to Oslo", "to Bonn")}
    one = game(background="resample", values=values)
    price = {draw: one.render([False, True, True], draw).split()[1] for draw in range(20)}
    both = {draw: one.render([False, True, False], draw).split()[1] for draw in range(20)}
    assert price == both and set(price.values()) == {"10", "50"}


def test_impossible_combinations_are_drawn_again():
    values = {"price": ("10", "90"), "class": ("economy", "business"), "city": ("to Rome",)}

    def allowed(given):
        return not (given["price"] == "10" and given["class"] == "business")

    one = game(background="resample", values=values, allowed=allowed)
    assert all("10 in business" not in one.render([False, True, True], draw) for draw in range(30))
    with pytest.raises(OperantError, match="widen the value lists"):
        game(background="resample", values=values, allowed=lambda given: not given).render([False] * 3)


def test_text_in_a_field_is_never_a_template():
    one = PromptGame(template="{{ x }} {{ y }}", fields={"x": "{{ y }}", "y": "2"})
    assert one.render([True, True]) == "{{ y }} 2"
    held = PromptGame(template="{{ text }}{{ x }}", fields={"x": "1"}, constants={"text": "{{ x }} "})
    assert held.render([True]) == "{{ x }} 1" and held.players == ("x",)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnknownName, match="field of the template named 'y'"):
        PromptGame(template="{{ y }}", fields={"x": "1"})
    with pytest.raises(BadValue, match="in it"):
        PromptGame(template="nothing", fields={"x": "1"})
    with pytest.raises(BadValue, match="a value for price"):
        game(background="neutral")


def test_every_text_is_asked_once():
    asked = []

    def ask(texts):
        asked.extend(texts)
        return [float(len(text)) for text in texts]

    # A field that is empty anyway: with it and without it the text is the same.
    one = Played(PromptGame(template="a {{ x }} {{ y }}", fields={"x": "", "y": "2"}), ask)
    found = one(np.array([[0, 0], [1, 0], [0, 1], [1, 1]]), np.zeros(4, dtype=int))
    assert len(asked) == len(set(asked)) and len(found) == 4
    one(np.array([[0, 0]]), np.zeros(1, dtype=int))
    assert len(asked) == len(set(asked))


def test_leaving_one_out_counts_what_both_do_twice():
    worth = {"": 0.0, "x": 0.1, "y": 0.2, "x y": 0.6}
    one = Played(PromptGame(template="{{ x }} {{ y }}", fields={"x": "x", "y": "y"}),
                 lambda texts: [worth[text] for text in texts])  # fmt: skip
    assert one_less(one) == pytest.approx([0.6 - 0.2, 0.6 - 0.1])
    found = from_all(one, 2, coefficients=shapley_coefficients(2))
    assert found.phi == pytest.approx([0.25, 0.35])  # .9 in all above, and .6 here, which is what both are worth
    assert found.phi.sum() == pytest.approx(found.whole - found.empty)


def test_logits_show_what_saturates():
    assert logit(np.array([0.5, 0.0])) == pytest.approx([0, np.log(1e-6 / (1 - 1e-6))])
    # .99 to .999 is .009 of a probability and 2.3 of a logit
    low, high = logit(np.array([0.99, 0.999]))
    assert high - low == pytest.approx(np.log(999 / 99))


def test_rank_correlation_by_hand():
    assert spearman(np.array([1, 2, 3]), np.array([10, 30, 20])) == pytest.approx(0.5)
    assert np.isnan(spearman(np.array([1, 1]), np.array([1, 2])))


def test_utilities_of_a_known_chooser_are_recovered():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 3))
    chosen = rng.random(4000) < 1 / (1 + np.exp(-rows @ [1.0, -2.0, 0.0]))
    assert logit_utilities(rows, chosen) == pytest.approx([1.0, -2.0, 0.0], abs=0.15)
