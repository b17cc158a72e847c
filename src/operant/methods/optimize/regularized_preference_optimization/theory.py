"""The theory of RPO, run on one prompt with a handful of actions (Liu et al. 2024, arXiv:2405.16436).

Pairs cover some actions and say nothing of the others. The most likely reward is then unknown off the data, and a
policy that trusts it may go there; the worst reward that fits the data tells the policy to stay. Losses on pairs are
means, in nats a pair. `python -m operant.methods.optimize.regularized_preference_optimization.theory` prints figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from operant.objectives.preference import rpo_loss

Array = NDArray[np.float64]
SIZES = (50, 200, 800, 3200)  # pairs, for the printed table


class Problem(NamedTuple):
    reward: Array  # [actions] the truth, logits of Bradley-Terry
    base: Array  # [actions] whose actions are compared in the data: pi_base; 0 for an action never seen
    reference: Array  # [actions] pi_ref


# Data ------------------------------------------------------------------------------------------------------------


def pair_chances(base: Array) -> Array:
    """[actions, actions] how often a pair (row, column) of different actions is compared; symmetric, sums to 1."""
    chances = np.outer(base, base)
    np.fill_diagonal(chances, 0.0)
    return chances / chances.sum()


def draw_wins(problem: Problem, pairs: int, *, rng: np.random.Generator) -> Array:
    """[actions, actions] how often row beat column, among `pairs` comparisons by Bradley-Terry."""
    upper = np.triu(2 * pair_chances(problem.base))
    counts = rng.multinomial(pairs, upper.ravel() / upper.sum()).reshape(upper.shape)
    won = rng.binomial(counts, expit(problem.reward[:, None] - problem.reward))
    return (won + (counts - won).T).astype(float)


def preference_nll(rewards: Array, wins: Array) -> float:
    """Bradley-Terry surprise at the data, nats a pair."""
    return float((wins * np.logaddexp(0, rewards - rewards[:, None])).sum() / wins.sum())


def _nll_slope(rewards: Array, wins: Array) -> Array:
    lost = wins * expit(rewards - rewards[:, None])
    return (lost.sum(0) - lost.sum(1)) / wins.sum()


# Rewards and policies --------------------------------------------------------------------------------------------


def likely_rewards(wins: Array, *, start: Array, top: float) -> Array:
    """The most likely rewards within [0, top]. Those of actions never seen stay where they started."""
    found = minimize(
        preference_nll, start, args=(wins,), jac=_nll_slope, method="L-BFGS-B", bounds=[(0, top)] * len(start)
    )
    return found.x


def worst_rewards(wins: Array, base: Array, reference: Array, *, eta: float, beta: float, top: float) -> Array:
    """The adversary's rewards within [0, top]: argmin over R of eta * max over pi of J(pi, R) + L_D(R).

    J(pi, R) = E_pi R - E_base R - beta KL(pi || ref); its maximum over pi is beta log E_ref exp(R / beta) - E_base R.
    """

    def loss(rewards: Array) -> tuple[float, Array]:
        top_one = rewards.max()
        weights = reference * np.exp((rewards - top_one) / beta)
        best = top_one + beta * np.log(weights.sum()) - base @ rewards
        slope = eta * (weights / weights.sum() - base) + _nll_slope(rewards, wins)
        return float(eta * best + preference_nll(rewards, wins)), slope

    middle = np.full(len(base), top / 2)
    return minimize(loss, middle, jac=True, method="L-BFGS-B", bounds=[(0, top)] * len(base)).x


def tilted(reference: Array, rewards: Array, *, beta: float) -> Array:
    """pi proportional to ref * exp(R / beta): the best policy under R at a KL penalty of beta."""
    weights = reference * np.exp((rewards - rewards.max()) / beta)
    return weights / weights.sum()


def greedy(rewards: Array) -> Array:
    return np.eye(len(rewards))[rewards.argmax()]


def coverage_coefficient(policy: Array, base: Array, chances: Array) -> float:
    """Partial coverage: sup over R of (E_policy R - E_base R)^2 / E_data[(R(a) - R(b))^2]; infinite off the data.

    With v = policy - base and S = E_data[(e_a - e_b)(e_a - e_b)'] it is v' S^+ v where v lies in the range of S.
    """
    seen = (chances + chances.T) / 2
    spread = 2 * (np.diag(seen.sum(1)) - seen)
    gap = policy - base
    solved = np.linalg.pinv(spread) @ gap
    return float(gap @ solved) if np.allclose(spread @ solved, gap, atol=1e-9) else float("inf")


# Two ways to one policy ------------------------------------------------------------------------------------------


def rpo_policy(wins: Array, reference: Array, *, eta: float, beta: float) -> Array:
    """The policy that minimises the practical loss on the pairs, imitating the chosen actions: weight eta * beta."""
    won, lost = (torch.tensor(places) for places in np.nonzero(wins))
    share = torch.tensor(wins[wins > 0] / wins.sum())
    prior = torch.tensor(np.log(reference))

    def loss(logits: Array) -> tuple[float, Array]:
        weights = torch.tensor(logits, requires_grad=True)
        logps = weights.log_softmax(0)
        ratios = logps - prior
        each = rpo_loss(ratios[won], ratios[lost], -logps[won], beta=beta, weight=eta * beta)
        value = (share * each).sum()
        value.backward()
        assert weights.grad is not None
        return value.item(), weights.grad.numpy()

    return softmax(minimize(loss, np.log(reference), jac=True, method="BFGS", options={"gtol": 1e-9}).x)


def chosen_distribution(wins: Array) -> Array:
    return wins.sum(1) / wins.sum()


class Saddle(NamedTuple):
    policy: Array  # the best policy against the worst reward
    max_min: float
    min_max: float  # equal, for the game is concave in the policy and convex in the reward


def max_min_policy(wins: Array, reference: Array, *, eta: float, beta: float, rounds: int = 4) -> Saddle:
    """Three actions: max over policies of min over rewards, both on grids that close in on the answer.

    Only differences of rewards count, so the first one is 0; the baseline is the chosen distribution.
    """
    base = chosen_distribution(wins)
    middle, centre, reach, width = np.full(2, 1 / 3), np.zeros(2), 4.0, 0.5
    for _ in range(rounds):
        policies, rewards = _simplex(middle, width), _square(centre, reach)
        kl = (policies * (np.log(policies) - np.log(reference))).sum(1)
        fit = np.array([preference_nll(one, wins) for one in rewards]) - eta * rewards @ base
        game = eta * (policies @ rewards.T - beta * kl[:, None]) + fit
        best, worst = game.min(1).argmax(), game.max(0).argmin()
        saddle = Saddle(policies[best], game.min(1).max(), game.max(0).min())
        middle, centre, reach, width = policies[best, :2], rewards[worst, 1:], reach / 4, width / 4
    return saddle


def _simplex(middle: Array, width: float, *, cells: int = 40) -> Array:
    """Policies over three actions whose first two chances lie in a square around `middle`."""
    sides = [np.linspace(max(1e-6, one - width), min(1.0, one + width), cells + 1) for one in middle]
    first, second = (grid.ravel() for grid in np.meshgrid(*sides))
    kept = first + second < 1 - 1e-6
    return np.stack([first, second, 1 - first - second], 1)[kept]


def _square(centre: Array, reach: float, *, cells: int = 60) -> Array:
    sides = [np.linspace(one - reach, one + reach, cells + 1) for one in centre]
    second, third = (grid.ravel() for grid in np.meshgrid(*sides))
    return np.stack([np.zeros_like(second), second, third], 1)


# Suboptimality as data grows -------------------------------------------------------------------------------------


class Regret(NamedTuple):
    """Mean true reward short of the best action that the data cover; logits."""

    greedy: float  # takes the action of the highest likely reward
    dpo: float  # ref * exp(likely reward / beta), which is what DPO fits
    rpo: float  # ref * exp(worst reward / beta)


def regret(problem: Problem, pairs: int, *, repeats: int, top: float = 4.0, seed: int = 0) -> Regret:
    """Over data sets and over what the rewards off the data start from; eta = 1 / sqrt(n), beta = 1 / (2 sqrt(n))."""
    rng, total = np.random.default_rng(seed), np.zeros(3)
    eta, beta = pairs**-0.5, pairs**-0.5 / 2
    best = problem.reward[problem.base > 0].max()
    for _ in range(repeats):
        wins = draw_wins(problem, pairs, rng=rng)
        likely = likely_rewards(wins, start=rng.uniform(0, top, len(problem.base)), top=top)
        worst = worst_rewards(wins, problem.base, problem.reference, eta=eta, beta=beta, top=top)
        policies = (
            greedy(likely),
            tilted(problem.reference, likely, beta=beta),
            tilted(problem.reference, worst, beta=beta),
        )
        total += [best - policy @ problem.reward for policy in policies]
    return Regret(*(total / repeats))


def hardest(pairs: int, problem_of: Callable[[float], Problem], *, repeats: int) -> Regret:
    """The worst regret of each over how far the seen actions are apart: the rate in n is one over all problems."""
    gaps = np.array([0.5, 1, 2, 4, 8]) / pairs**0.5
    found = [regret(problem_of(gap), pairs, repeats=repeats) for gap in gaps]
    return Regret(*np.max(found, axis=0))


# Over-optimisation with shared parameters ------------------------------------------------------------------------


def train_shared(
    features: Array, start: Array, *, beta: float, weight: float, steps: int, rate: float
) -> Array:  # fmt: skip
    """[steps + 1, actions] the policy along plain gradient descent; logits = log start + features @ theta.

    One pair: action 0 beat action 1; the others are in no pair.
    With shared parameters an action that no pair names moves with those that are named; weight 0 is DPO.
    """
    theta = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    prior, moved = torch.tensor(np.log(start)), torch.tensor(features)
    path = [start]
    for _ in range(steps):
        logps = (prior + moved @ theta).log_softmax(0)
        ratios = logps - prior
        rpo_loss(ratios[:1], ratios[1:2], -logps[:1], beta=beta, weight=weight).sum().backward()
        assert theta.grad is not None
        with torch.no_grad():
            theta -= rate * theta.grad
        theta.grad = None
        path.append(np.exp(log_softmax(np.log(start) + features @ theta.detach().numpy())))
    return np.array(path)


def unseen_third(gap: float) -> Problem:
    """Two actions compared with each other, and a third, worse than both, that nobody ever saw."""
    return Problem(np.array([1.0 + gap, 1.0, 0.0]), np.array([0.5, 0.5, 0.0]), np.full(3, 1 / 3))


def main() -> None:
    say = sys.stdout.write
    wins = np.array([[0.0, 30.0, 25.0], [12.0, 0.0, 20.0], [8.0, 15.0, 0.0]])
    saddle = max_min_policy(wins, np.array([0.2, 0.3, 0.5]), eta=0.3, beta=0.5)
    policy = rpo_policy(wins, np.array([0.2, 0.3, 0.5]), eta=0.3, beta=0.5)
    say(f"max-min {saddle.policy.round(4)} against RPO's minimiser {policy.round(4)}\n")
    for pairs in SIZES:
        found = hardest(pairs, unseen_third, repeats=60)
        say(f"n {pairs:5d}  greedy {found.greedy:.3f}  dpo {found.dpo:.3f}  rpo {found.rpo:.4f}\n")


if __name__ == "__main__":
    main()
