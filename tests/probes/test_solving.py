"""What a budget pays for, worked out, and that every rule solves the same game."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue, UnknownName
from operant.probes.games import Played, PromptGame
from operant.probes.solving import Plan, Wanted, planned, solved

AUTO = Wanted(rule="auto", permutations=64)


def wanted(rule, **settings):
    return Wanted(rule=rule, permutations=64, **settings)


def test_without_a_price_everything_is_asked():
    assert planned(AUTO, players=8, prompts=40, room=None) == Plan("exact", 40, 2**8)
    assert planned(AUTO, players=13, prompts=40, room=None) == Plan("permutations", 40, 64 * (13 + 1))
    assert planned(wanted("exact", draws=4), players=3, prompts=5, room=None) == Plan("exact", 5, 4 * 2**3)


def test_all_coalitions_of_all_prompts_or_fewer_orders_of_all_prompts():
    assert planned(AUTO, players=8, prompts=40, room=40 * 2**8).rule == "exact"
    # one evaluation less: each of 40 prompts may have (10,240 - 1) // 40 = 255 in orders of 9
    assert planned(AUTO, players=8, prompts=40, room=40 * 2**8 - 1) == Plan("permutations", 40, 255)


def test_fewer_prompts_by_a_rule_that_was_asked_for():
    assert planned(wanted("exact"), players=8, prompts=40, room=1000) == Plan("exact", 1000 // 2**8, 2**8)
    assert planned(wanted("kernel"), players=8, prompts=40, room=10**9) == Plan("kernel", 40, 64 * 9)


def test_a_budget_that_pays_for_no_two_prompts_says_so():
    plan = planned(wanted("owen"), players=8, prompts=40, room=100)
    assert plan[:3] == ("permutations", 2, 50)
    assert plan.short == "the budget pays for 50 evaluations a prompt and not for 256"
    # an order and its reverse in any case
    assert planned(wanted("kernel"), players=8, prompts=40, room=3)[:3] == ("kernel", 2, 2 * 9)


def test_too_many_parts_for_all_coalitions():
    with pytest.raises(BadValue, match="use permutations"):
        planned(wanted("exact"), players=13, prompts=2, room=None)


def played():
    """Worth .2 with a, .4 more with b and c together."""

    def ask(texts):
        words = [set(text.split()) for text in texts]
        return [0.2 * ("a" in one) + 0.4 * ({"b", "c"} <= one) for one in words]

    fields = {name: name for name in "abc"}
    return Played(PromptGame(template="{{ a }} {{ b }} {{ c }}", fields=fields), ask)


@pytest.mark.parametrize("rule, evaluations", [("exact", 8), ("permutations", 40 * 4), ("kernel", 8), ("owen", 8)])
def test_every_rule_comes_to_the_same(rule, evaluations):
    found = solved(played(), Plan(rule, 1, evaluations))
    assert found.phi == pytest.approx([0.2, 0.2, 0.2], abs=0.05 if rule == "permutations" else 1e-9)
    assert found.phi.sum() == pytest.approx(0.6)


def test_groups_by_name():
    # a and b act together: the group and c make .4 together, .2 each; a has .2 of its own beside
    found = solved(played(), Plan("owen", 1, 8), groups=[["a", "b"]])
    assert found.phi == pytest.approx([0.2, 0.2, 0.2])
    # without c nothing: with groups {a}, {b, c} the pair shares its .4
    assert solved(played(), Plan("owen", 1, 8), groups=[["b", "c"]]).phi == pytest.approx([0.2, 0.2, 0.2])
    with pytest.raises(UnknownName, match="part in groups"):
        solved(played(), Plan("owen", 1, 8), groups=[["a", "d"]])


def test_noise_of_the_values_reaches_the_result():
    # phi of two players: v(12) - v(2) and v(1) - v(0), a half each: variance 4 x (1/2)^2 x 1 = 1
    one = Played(PromptGame(template="{{ x }} {{ y }}", fields={"x": "x", "y": "y"}), lambda texts: [0.0] * len(texts))
    assert solved(one, Plan("exact", 1, 4), noise=np.ones_like).se == pytest.approx([1.0, 1.0])
