"""Losses of graded judgements, by hand: how a strength differs from a margin."""

from __future__ import annotations

from math import e, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives.graded import rating_loss, scaled_bradley_terry_loss
from operant.objectives.reward import bradley_terry_loss

ONE, ZERO = tensor([1.0]), tensor([0.0])
STRENGTHS = [1.0, 2.0, 3.0]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_three_losses_by_hand_at_a_lead_of_one(strength):
    # regular: -log sigmoid(1) = log(1 + 1/e); scaled: strength times that; margin: log(1 + e^(strength - 1))
    regular = log(1 + 1 / e)
    scaled = scaled_bradley_terry_loss(ONE, ZERO, strength=tensor([strength]))
    margin = bradley_terry_loss(ONE, ZERO, margin=tensor([strength]))
    assert_close(scaled, tensor([strength * regular]))
    assert_close(margin, tensor([log(1 + e ** (strength - 1))]))


def test_a_strength_of_one_is_the_plain_loss():
    chosen, rejected = torch.randn(5, generator=torch.Generator().manual_seed(0)), torch.zeros(5)
    scaled = scaled_bradley_terry_loss(chosen, rejected, strength=torch.ones(5))
    assert_close(scaled, bradley_terry_loss(chosen, rejected))


def test_a_strength_counts_like_as_many_pairs():
    # two pairs of strengths 3 and 1, and four pairs of strength 1: the same sum and the same gradient
    lead = tensor([0.4, -1.2], requires_grad=True)
    scaled_bradley_terry_loss(lead, torch.zeros(2), strength=tensor([3.0, 1.0])).sum().backward()
    repeated = tensor([0.4, -1.2], requires_grad=True)
    bradley_terry_loss(repeated[[0, 0, 0, 1]], torch.zeros(4)).sum().backward()
    assert_close(lead.grad, repeated.grad)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_margin_pushes_pairs_that_are_far_apart_and_a_strength_does_not(strength):
    # d/d lead: scaled -m (1 - sigmoid(lead)), margin -(1 - sigmoid(lead - m)); at a lead of 6
    lead = tensor([6.0], requires_grad=True)
    scaled_bradley_terry_loss(lead, ZERO, strength=tensor([strength])).backward()
    scaled = lead.grad.clone()
    lead.grad = None
    bradley_terry_loss(lead, ZERO, margin=tensor([strength])).backward()
    assert_close(scaled, tensor([-strength / (1 + e**6)]))
    assert_close(lead.grad, tensor([-1 / (1 + e ** (6 - strength))]))
    assert strength == 1 or abs(lead.grad) > abs(scaled)


def optimum(loss, *, flipped: float) -> float:
    """The lead of one pair that is best where its verdict is flipped at a rate: where the slope is 0, by halving."""
    low, high, none = 0.0, 10.0, torch.zeros(1, dtype=torch.float64)
    for _ in range(60):
        middle = (low + high) / 2
        lead = torch.tensor([middle], dtype=torch.float64, requires_grad=True)
        ((1 - flipped) * loss(lead, none) + flipped * loss(none, lead)).sum().backward()
        low, high = (middle, high) if lead.grad < 0 else (low, middle)
    return low


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_strength_leaves_the_optimum_at_the_log_odds_and_a_margin_moves_it(strength):
    # verdicts flipped at 0.2: log odds = log(0.8 / 0.2); a margin solves 0.8 sigmoid(m - d) = 0.2 sigmoid(m + d),
    # which with x = e^d, k = e^m is 0.2 x^2 - 0.6 k x - 0.8 = 0
    strengths, k = torch.tensor([strength], dtype=torch.float64), e**strength
    scaled = optimum(lambda won, lost: scaled_bradley_terry_loss(won, lost, strength=strengths), flipped=0.2)
    margin = optimum(lambda won, lost: bradley_terry_loss(won, lost, margin=strengths), flipped=0.2)
    assert scaled == pytest.approx(log(0.8 / 0.2))
    assert margin == pytest.approx(log((0.6 * k + (0.6**2 * k**2 + 4 * 0.2 * 0.8) ** 0.5) / (2 * 0.2)))
    assert margin > scaled


def test_shuffled_strengths_are_the_plain_loss_times_their_mean():
    # every strength at every pair, once each: what a shuffle is on average
    lead, strengths = tensor([0.3, -0.5, 2.0]), tensor(STRENGTHS)
    shuffled = [scaled_bradley_terry_loss(lead, torch.zeros(3), strength=strengths.roll(turn)) for turn in range(3)]
    assert_close(torch.stack(shuffled).mean(0), strengths.mean() * bradley_terry_loss(lead, torch.zeros(3)))


def test_rating_loss_by_hand():
    # (2 - 4)^2 = 4, (3.5 - 3)^2 = 0.25
    assert_close(rating_loss(tensor([2.0, 3.5]), tensor([4.0, 3.0])), tensor([4.0, 0.25]))
