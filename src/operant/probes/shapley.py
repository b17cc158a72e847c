"""Shapley values of the parts of a prompt: exact, by permutations, by a weighted regression, in groups.

A game is a function from coalitions, [many, players] of bool, and background draws, [many] of int, to values [many].
Players outside a coalition take a background value; which one, where it is drawn, the draw says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb, factorial
from typing import NamedTuple, TypeAlias

import numpy as np

from operant.errors import require

Array = np.ndarray
Game: TypeAlias = Callable[[Array, Array], Array]
Noise: TypeAlias = Callable[[Array], Array]  # from values to the variance of each
EXACT = 12  # players up to which all coalitions are asked


class Attribution(NamedTuple):
    """What each player adds, [players], with the standard error of the estimate; 0 where nothing was estimated."""

    phi: Array
    se: Array
    empty: float  # the value of no player
    whole: float


def coalitions(players: int) -> Array:
    """All of them, [2^players, players]; the k-th holds player i where bit i of k is set."""
    require(1 <= players <= 20, "players", players, "1 to 20, so that all coalitions can be listed")
    return (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1


def shapley_coefficients(players: int) -> Array:
    """[players, 2^players]: phi = coefficients @ values of `coalitions`.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)). Source: Shapley 1953.
    """
    every = coalitions(players)
    sizes = every.sum(1)
    weights = np.array([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)])
    found = np.zeros((players, len(every)))
    for one in range(players):
        without = np.flatnonzero(~every[:, one])
        found[one, without] -= weights[sizes[without]]
        found[one, without + 2**one] += weights[sizes[without]]
    return found


def owen_coefficients(players: int, groups: Sequence[Sequence[int]]) -> Array:
    """The same for players in groups that act together before they are told apart within.

    For i in group g: sum over sets T of other groups and S of others in g of w(|T|, groups) w(|S|, |g|)
    (v(T + S + i) - v(T + S)), w(s, n) = s! (n - s - 1)! / n!. Source: Owen 1977. Groups of one: Shapley values.
    """
    named = sorted(one for group in groups for one in group)
    require(named == list(range(players)), "groups", groups, f"each of {players} players in one group")
    found = np.zeros((players, 2**players))
    bits = [sum(2**one for one in group) for group in groups]
    for place, group in enumerate(groups):
        outside = [bit for other, bit in enumerate(bits) if other != place]
        for one in group:
            inside = [2**other for other in group if other != one]
            for before, weight in _subsets(outside):
                for with_it, within in _subsets(inside):
                    found[one, before + with_it] -= weight * within
                    found[one, before + with_it + 2**one] += weight * within
    return found


def _subsets(bits: Sequence[int]) -> list[tuple[int, float]]:
    """The sum of every subset, and the weight of its size among one more player."""
    count = len(bits) + 1
    return [
        (sum(some), factorial(size) * factorial(count - size - 1) / factorial(count))
        for size in range(count) for some in combinations(bits, size)
    ]  # fmt: skip


def from_all(
    game: Game, players: int, *, coefficients: Array, draws: int = 1, noise: Noise | None = None
) -> Attribution:  # fmt: skip
    """Any linear rule on the values of all coalitions, each the mean over `draws` backgrounds.

    Args: noise: from values to the variance of each, where they are estimates themselves.
    """
    every = coalitions(players)
    rows = np.tile(every, (draws, 1))
    values = game(rows, np.repeat(np.arange(draws), len(every))).reshape(draws, len(every))
    mean = values.mean(0)
    variance = noise(mean) / draws if noise is not None else np.zeros_like(mean)
    if draws > 1:
        each = values @ coefficients.T
        se = each.std(0, ddof=1) / np.sqrt(draws)
    else:
        se = np.sqrt(coefficients**2 @ variance)
    return Attribution(coefficients @ mean, se, float(mean[0]), float(mean[-1]))


def binomial(samples: int) -> Noise:
    """Variance of a share of `samples`, with one success and one failure added: no share is certain."""

    def variance(shares: Array) -> Array:
        smooth = (shares * samples + 1) / (samples + 2)
        return smooth * (1 - smooth) / samples

    return variance


def by_permutations(
    game: Game, players: int, *, permutations: int, rng: np.random.Generator, antithetic: bool = True
) -> Attribution:  # fmt: skip
    """Mean marginal contribution over random orders; with `antithetic` every order comes with its reverse.

    Every order takes a background draw of its own, and adds up to v(all) - v(none) by itself. The standard error is
    that of independent orders, or of pairs of them.

    Source: Castro et al. 2009; Mitchell et al. 2022, Sampling permutations for Shapley value estimation.
    """
    step = 2 if antithetic else 1
    count = max(step, permutations - permutations % step)
    orders = [rng.permutation(players) for _ in range(count // step)]
    if antithetic:
        orders = [order for one in orders for order in (one, one[::-1])]
    rows = np.zeros((count, players + 1, players), dtype=bool)
    for place, order in enumerate(orders):
        for size in range(1, players + 1):
            rows[place, size:, order[size - 1]] = True
    draws = np.repeat(np.arange(count) // step, players + 1)  # a pair shares its background
    values = game(rows.reshape(-1, players), draws).reshape(count, players + 1)
    added = np.zeros((count, players))
    for place, order in enumerate(orders):
        added[place, order] = np.diff(values[place])
    means = added.reshape(count // step, step, players).mean(1)
    se = means.std(0, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.full(players, np.nan)
    return Attribution(added.mean(0), se, float(values[:, 0].mean()), float(values[:, -1].mean()))


def kernel_weight(players: int, size: int) -> float:
    """(n - 1) / (C(n, s) s (n - s)), the weight of a coalition of `size`. Source: Lundberg and Lee 2017."""
    return (players - 1) / (comb(players, size) * size * (players - size))


def by_regression(
    game: Game, players: int, *, most: int, rng: np.random.Generator
) -> Attribution:  # fmt: skip
    """KernelSHAP: least squares under sum phi = v(all) - v(none), v(all) and v(none) exact.

    With `most` at least 2^n all coalitions are asked and it is the Shapley value; else coalitions are drawn by their
    weights, each with its complement. The standard error is that of the regression's residuals.
    """
    if players == 1:
        return from_all(game, 1, coefficients=shapley_coefficients(1))
    rows, weights = _sampled(players, most, rng)
    ends = np.array([[False] * players, [True] * players])
    values = game(np.concatenate([ends, rows]), np.zeros(len(rows) + 2, dtype=int))
    empty, whole, found = float(values[0]), float(values[1]), values[2:]
    # The last player's value follows from the sum of all; the others are free.
    design = rows[:, :-1].astype(float) - rows[:, -1:]
    target = found - empty - rows[:, -1] * (whole - empty)
    root = np.sqrt(weights)
    free, *_ = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)
    phi = np.append(free, whole - empty - free.sum())
    all_there = len(rows) == 2**players - 2
    return Attribution(phi, _residual_se(design, target, weights, free, all_there=all_there), empty, whole)


def _sampled(players: int, most: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Coalitions but the empty and the whole one, with weights."""
    if 2**players <= most:
        every = coalitions(players)[1:-1]
        return every, np.array([kernel_weight(players, int(size)) for size in every.sum(1)])
    sizes = np.arange(1, players)
    chance = np.array([kernel_weight(players, int(size)) * comb(players, int(size)) for size in sizes])
    drawn = rng.choice(sizes, size=max(players, (most - 2) // 2), p=chance / chance.sum())
    rows = np.zeros((len(drawn), players), dtype=bool)
    for place, size in enumerate(drawn):
        rows[place, rng.choice(players, size=size, replace=False)] = True
    return np.concatenate([rows, ~rows]), np.ones(2 * len(rows))


def _residual_se(design: Array, target: Array, weights: Array, free: Array, *, all_there: bool) -> Array:
    count, width = design.shape
    if all_there or count <= width:
        return np.zeros(width + 1)
    residual = target - design @ free
    noise = float((weights * residual**2).sum() / (count - width))
    spread = noise * np.linalg.pinv(design.T @ (design * weights[:, None]))
    last = float(spread.sum())
    return np.sqrt(np.append(np.diag(spread), max(last, 0.0)))


def shares(phi: Array) -> Array:
    """[players] share of each in the sum of mean |phi|, phi [prompts, players]; equal where nothing has any."""
    means = np.abs(phi).mean(0)
    total = means.sum()
    return means / total if total > 0 else np.full(len(means), 1 / len(means))


class TokenNoise(NamedTuple):
    share: float  # of mean |phi| that low-information players carry
    parts: float  # their share of the players
    p: float  # share of labels dealt by lot under which they would carry as much


def token_noise(phi: Array, low: Sequence[int], *, runs: int = 999, rng: np.random.Generator) -> TokenNoise:
    """Whether players declared to say little carry more than labels dealt by lot would.

    Args: phi [prompts, players].
    """
    each = shares(phi)
    require(0 < len(low) < len(each), "low", list(low), f"some of {len(each)} players, not all")
    share = float(each[list(low)].sum())
    lots = np.array([rng.permutation(each)[: len(low)].sum() for _ in range(runs)])
    return TokenNoise(share, len(low) / len(each), (1 + int((lots >= share - 1e-12).sum())) / (1 + runs))
