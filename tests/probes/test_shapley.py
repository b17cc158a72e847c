"""Shapley values: worked games, the axioms, and estimators against the exact values on planted effects."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest

from operant.errors import BadValue
from operant.probes.shapley import (
    binomial,
    by_permutations,
    by_regression,
    coalitions,
    from_all,
    kernel_weight,
    owen_coefficients,
    shapley_coefficients,
    shares,
    token_noise,
)

RNG = np.random.default_rng


def game(value):
    """A game of a function from a set of players to a number."""
    return lambda rows, _draws: np.array([value(frozenset(np.flatnonzero(row))) for row in rows], dtype=float)


def exact(value, players):
    return from_all(game(value), players, coefficients=shapley_coefficients(players))


TWO = {frozenset(): 0.0, frozenset({0}): 0.1, frozenset({1}): 0.2, frozenset({0, 1}): 0.6}


def test_two_players_by_hand():
    # 0 joins none: .1, or after 1: .6 - .2 = .4, mean .25; 1: (.2 + .5) / 2 = .35
    assert exact(TWO.get, 2).phi == pytest.approx([0.25, 0.35])


def test_majorities_by_hand():
    assert exact(lambda inside: len(inside) >= 2, 3).phi == pytest.approx([1 / 3] * 3)
    # player 0 with at least one other: 0 is decisive unless first, 2/3; the others share the rest
    assert exact(lambda inside: 0 in inside and len(inside) >= 2, 3).phi == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def random_game(players, seed=0):
    values = RNG(seed).normal(size=2**players)
    return lambda inside: float(values[sum(2**one for one in inside)])


@pytest.mark.parametrize("players", [1, 2, 5])
def test_it_is_the_mean_over_all_orders(players):
    value, found = random_game(players), np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        for place, one in enumerate(order):
            found[one] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    assert exact(value, players).phi == pytest.approx(found / len(orders))


def test_the_axioms():
    value = random_game(4)
    found = exact(value, 4)
    assert found.phi.sum() == pytest.approx(found.whole - found.empty, abs=1e-9)  # efficiency
    dummy = exact(lambda inside: value(inside - {2}), 4)
    assert dummy.phi[2] == pytest.approx(0, abs=1e-12)
    alike = exact(lambda inside: len(inside & {0, 1}) ** 2 + (3 in inside), 4)
    assert alike.phi[0] == pytest.approx(alike.phi[1])  # symmetry
    assert exact(lambda inside: 3 * value(inside), 4).phi == pytest.approx(3 * found.phi)  # scaling
    weights = [0.3, -0.1, 0.0, 2.0]
    added = exact(lambda inside: 1 + sum(weights[one] for one in inside), 4)
    assert added.phi == pytest.approx(weights)  # additive: v({i}) - v(none)


def test_kernel_weights_by_hand():
    # n = 4: 3 / (C(4, s) s (4 - s)): 3 / (4 * 3), 3 / (6 * 4), 3 / (4 * 3)
    assert [kernel_weight(4, size) for size in (1, 2, 3)] == [0.25, 0.125, 0.25]
    assert kernel_weight(4, 2) == 3 / (comb(4, 2) * 2 * 2)


@pytest.mark.parametrize("players", [1, 2, 4, 6])
def test_the_regression_on_all_coalitions_is_exact(players):
    value = random_game(players)
    found = by_regression(game(value), players, most=2**players, rng=RNG(0))
    assert found.phi == pytest.approx(exact(value, players).phi, abs=1e-8)
    assert found.se == pytest.approx(np.zeros(players))


def test_owen_values():
    value = random_game(4)
    alone = owen_coefficients(4, [[0], [1], [2], [3]])
    assert alone == pytest.approx(shapley_coefficients(4))
    together = owen_coefficients(4, [[0, 1, 2, 3]])
    assert together == pytest.approx(shapley_coefficients(4))
    found = from_all(game(value), 4, coefficients=owen_coefficients(4, [[0, 2], [1, 3]]))
    assert found.phi.sum() == pytest.approx(found.whole - found.empty)
    # groups (0, 1) and (2): the quotient game has two players. v = 1 where 0 and 2 are in: 1 adds nothing,
    # 0 has what its group has, 1/2
    joint = from_all(game(lambda inside: {0, 2} <= inside), 3, coefficients=owen_coefficients(3, [[0, 1], [2]]))
    assert joint.phi == pytest.approx([0.5, 0.0, 0.5])
    with pytest.raises(BadValue, match="each of 3 players"):
        owen_coefficients(3, [[0, 1]])


# One helpful part, a pair that helps only together, a part that stands for position, inert ones


def planted(inside):
    """+.2 for player 0, +.2 for 1 and 2 together, the rest inert; from .4."""
    return 0.4 + 0.2 * (0 in inside) + 0.2 * ({1, 2} <= inside)


TRUTH = [0.2, 0.1, 0.1, 0, 0, 0, 0, 0]


def test_planted_effects_are_found_exactly():
    assert exact(planted, 8).phi == pytest.approx(TRUTH)


def test_sixty_four_permutations_come_near_in_every_seed():
    found = [by_permutations(game(planted), 8, permutations=64, rng=RNG(seed)) for seed in range(10)]
    near = [np.abs(one.phi - TRUTH).max() <= 0.02 + 1e-9 for one in found]
    assert sum(near) >= 9
    for one in found:
        assert one.phi.sum() == pytest.approx(one.whole - one.empty, abs=1e-9)


def test_reversed_orders_are_no_worse_at_equal_cost():
    value = random_game(6)
    truth = exact(value, 6).phi
    errors = {
        both: np.mean([
            ((by_permutations(game(value), 6, permutations=32, rng=RNG(seed), antithetic=both).phi - truth) ** 2).mean()
            for seed in range(100)
        ])
        for both in (True, False)
    }  # fmt: skip
    assert errors[True] <= errors[False]


@pytest.mark.parametrize("antithetic", [True, False])
def test_the_standard_error_of_permutations_covers_the_truth(antithetic):
    value = random_game(5)
    truth, inside = exact(value, 5).phi, []
    for seed in range(200):
        found = by_permutations(game(value), 5, permutations=60, rng=RNG(seed), antithetic=antithetic)
        inside.append(np.abs(found.phi - truth) <= 1.96 * found.se)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_sampled_coalitions_come_near():
    found = [by_regression(game(planted), 8, most=120, rng=RNG(seed)) for seed in range(10)]
    assert np.mean([np.abs(one.phi - TRUTH).max() for one in found]) < 0.05
    for one in found:
        assert one.phi.sum() == pytest.approx(one.whole - one.empty, abs=1e-9)
        assert (one.se >= 0).all() and one.se.max() > 0


def test_twenty_answers_a_prompt_still_cover_the_truth():
    """Frequencies of 20 draws in place of probabilities: 95% intervals cover the exact values in 90 to 98%."""
    coefficients, covered = shapley_coefficients(5), []
    chances = np.array([planted(frozenset(np.flatnonzero(row))) for row in coalitions(5)])
    for seed in range(300):
        drawn = RNG(seed).binomial(20, chances) / 20
        found = from_all(lambda rows, _, drawn=drawn: drawn, 5, coefficients=coefficients, noise=binomial(20))
        covered.append(np.abs(found.phi - TRUTH[:5]) <= 1.96 * found.se)
    assert 0.90 <= np.mean(covered) <= 0.98


def test_draws_of_a_background_are_averaged_and_their_spread_is_told():
    def drawn(rows, draws):
        return rows[:, 0] * (1.0 + draws)  # worth 1, 2, 3 in the three draws

    found = from_all(drawn, 2, coefficients=shapley_coefficients(2), draws=3)
    assert found.phi == pytest.approx([2.0, 0.0])
    assert found.se == pytest.approx([1 / 3**0.5, 0.0])  # standard deviation 1 over three draws


# Token noise


def test_a_position_bias_is_found_and_its_label_carries_more_than_a_lot_would():
    """Choice of option 1: .15 for its place, +.02 for its price, nothing for the others; .15 +- .03 recovered."""
    rng = RNG(0)
    rows = []
    for seed in range(30):
        found = by_permutations(
            game(lambda inside: 0.5 + 0.15 * (0 in inside) + 0.02 * (1 in inside)), 8, permutations=16, rng=RNG(seed)
        )
        rows.append(found.phi + rng.normal(0, 0.002, 8))
    phi = np.array(rows)
    assert phi.mean(0)[0] == pytest.approx(0.15, abs=0.03)
    noise = token_noise(phi, [0], rng=rng)
    assert noise.share > 0.7 and noise.parts == 1 / 8
    # the largest of eight: an eighth of the lots puts it there as well
    assert noise.p == pytest.approx(1 / 8, abs=0.04)
    assert token_noise(phi, [2, 3, 4], rng=rng).p > 0.5


def test_shares_by_hand():
    # mean |phi| 2 and 1 of two prompts: 2/3 and 1/3
    assert shares(np.array([[1.0, -1.0], [-3.0, 1.0]])) == pytest.approx([2 / 3, 1 / 3])
    assert shares(np.zeros((2, 4))) == pytest.approx([0.25] * 4)
    with pytest.raises(BadValue, match="not all"):
        token_noise(np.ones((2, 2)), [0, 1], rng=RNG(0))
