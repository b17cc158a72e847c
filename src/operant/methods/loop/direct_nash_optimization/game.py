"""The game that DNO plays, on a table of answers: exact win rates, exact steps, how far a policy can be exploited."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]  # [answers], or [answers, answers] for preferences: P(row beats column)


def expected_wins(preferences: Values, policy: Values) -> Values:
    """[answers] r(y) = E of P(y beats y') over y' of the policy, 0 to 1."""
    return preferences @ policy


def exact_step(preferences: Values, policy: Values, *, eta: float) -> Values:
    """The policy that minimises the regression exactly: proportional to policy * exp(r / eta).

    Source: Rosset et al. 2024, arXiv:2404.03715, alg. 1: soft policy iteration.
    """
    logits = np.log(policy) + expected_wins(preferences, policy) / eta
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


class Played(NamedTuple):
    """Policies of a game from the first on."""

    last: Values
    average: Values


def play(preferences: Values, policy: Values, *, eta: float, steps: int) -> Played:
    """Exact steps one after the other; `average` is over the policies that were played, the first included."""
    total = np.zeros_like(policy)
    for _ in range(steps):
        total += policy
        policy = exact_step(preferences, policy, eta=eta)
    return Played(policy, total / steps)


def exploitability(preferences: Values, policy: Values) -> float:
    """By how much more than half of the time the best single answer beats the policy; 0 for a Nash policy."""
    return float(expected_wins(preferences, policy).max() - 0.5)


def bradley_terry_optimum(preferences: Values, start: Values, *, eta: float, rounds: int = 20_000) -> Values:
    """What maximising a Bradley-Terry reward gives, fitted to preferences among answers of the start.

    The reward is the maximum-likelihood one over pairs of the start's answers; the policy is proportional to
    start * exp(reward / eta).
    """
    weights, reward = np.outer(start, start), np.zeros(len(start))
    for _ in range(rounds):
        told = 1 / (1 + np.exp(reward[None, :] - reward[:, None]))
        reward += 2 * (weights * (preferences - told)).sum(1)
    logits = np.log(start) + reward / eta
    chosen = np.exp(logits - logits.max())
    return chosen / chosen.sum()
