"""Nets of user-latent rewards: what the encoder must not see, where latents lie, what a comparison is."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch.testing import assert_close

from operant.rewards.questions import information
from operant.rewards.user_latent import Gaussian, Shape, UserReward, drawn, on_sphere
from operant.rewards.user_model import expected


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def net(**changes) -> UserReward:
    return UserReward(Shape(**{"width": 6, "hidden": 16, "latent": 8} | changes), seed=0).eval()


CHOSEN, REJECTED, ALL = randn(2, 5, 6), randn(2, 5, 6, seed=1), torch.ones(2, 5, dtype=torch.bool)


def close(one: Gaussian, two: Gaussian):
    for left, right in zip(one, two, strict=True):
        assert_close(left, right, atol=1e-5, rtol=1e-5)


def test_the_order_of_comparisons_says_nothing():
    one, order = net(), [3, 0, 4, 1, 2]
    close(one.infer(CHOSEN, REJECTED, ALL), one.infer(CHOSEN[:, order], REJECTED[:, order], ALL))


def test_saying_everything_twice_changes_nothing():
    one = net()
    twice = (torch.cat([side, side], 1) for side in (CHOSEN, REJECTED, ALL))
    close(one.infer(CHOSEN, REJECTED, ALL), one.infer(*twice))


def test_padding_changes_nothing():
    one = net()
    mask = ALL.clone()
    mask[:, 3:] = False
    close(one.infer(CHOSEN, REJECTED, mask), one.infer(CHOSEN[:, :3], REJECTED[:, :3], ALL[:, :3]))


def test_who_won_is_told_by_its_place():
    one = net()
    assert (one.infer(CHOSEN, REJECTED, ALL).mean - one.infer(REJECTED, CHOSEN, ALL).mean).abs().max() > 1e-3


@pytest.mark.parametrize("learnt", [False, True])
def test_without_comparisons_it_is_the_prior(learnt):
    one = net(learnt_prior=learnt)
    with torch.no_grad():
        one.encoder.prior += 0.3
    belief = one.infer(CHOSEN, REJECTED, torch.zeros_like(ALL))
    close(belief, Gaussian(*one.encoder.prior[:, None].expand(2, 2, 8)))
    assert one.encoder.prior.requires_grad == learnt


def test_beliefs_are_held_within_their_bounds():
    belief = net().infer(1e4 * CHOSEN, 1e4 * REJECTED, ALL)
    assert all(part.abs().max() == 1.0 for part in belief)


def test_latents_lie_on_a_sphere_of_radius_sqrt_of_their_width():
    belief = net().infer(CHOSEN, REJECTED, ALL)
    for latent in (drawn(belief, randn(2, 8)), on_sphere(belief.mean)):
        assert_close(latent.norm(dim=-1), torch.full((2,), sqrt(8)))
    assert_close(on_sphere(torch.zeros(1, 8)), torch.zeros(1, 8))  # the average user has no side


def test_a_draw_by_hand():
    # mean (1, 0), log variance (0, log 4), noise (1, 1.5): (1 + 1, 2 * 1.5) = (2, 3), then to length sqrt 2
    belief = Gaussian(torch.tensor([[1.0, 0.0]]), torch.tensor([[4.0**0.5, 16.0]]).log() * torch.tensor([[0.0, 0.5]]))
    got = drawn(belief, torch.tensor([[1.0, 1.5]]))
    assert_close(got, torch.tensor([[2.0, 3.0]]) * sqrt(2) / sqrt(13))


def test_a_comparison_swapped_is_its_opposite():
    for compares in (False, True):
        one, latent = net(compares=compares), randn(5, 8)
        lead = one.lead(CHOSEN[0], REJECTED[0], latent)
        assert_close(one.lead(REJECTED[0], CHOSEN[0], latent), -lead)
        assert_close(one.lead(CHOSEN[0], CHOSEN[0], latent), torch.zeros(5))


def test_shares_of_beaten_answers_average_one_half_among_themselves():
    # P(a beats b) + P(b beats a) = 1 for every pair, and P(a beats a) = 1/2
    one, latent = net(compares=True), randn(1, 8).expand(5, 8)
    with torch.no_grad():
        shares = [one.lead(answer.expand(5, 6), CHOSEN[0], latent).sigmoid().mean() for answer in CHOSEN[0]]
    assert all(0 <= share <= 1 for share in shares)
    assert float(torch.stack(shares).mean()) == pytest.approx(0.5, abs=1e-6)


def test_whitened_vectors_have_no_common_part_and_no_favourite_direction():
    one, features = net(), randn(500, 6) @ torch.diag(torch.tensor([10.0, 5.0, 1.0, 1.0, 1.0, 0.5])) + 7
    one.fit_scale(features)
    assert_close(one.scaled(features).mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    assert_close(torch.cov(one.scaled(features).T), torch.eye(6), atol=0.1, rtol=0)


def test_the_reward_of_a_distribution_is_its_mean():
    assert_close(expected(torch.tensor([[2.0, 9.0]])), torch.tensor([2.0]))
    # 3 values, 0 1/2 1, with odds 1 : 1 : 2
    assert_close(expected(torch.tensor([[0.0, 0.0, 2.0]]).mul(torch.tensor(2.0).log() / 2)), torch.tensor([0.625]))


def test_verdicts_that_lead_to_the_same_belief_tell_nothing():
    same = Gaussian(torch.ones(4, 3), torch.full((4, 3), -0.5))
    assert float(information(same)) == pytest.approx(0.0, abs=1e-6)
    # means +-1 with variance 1: total variance 2, so log(2) / 2 a dimension
    apart = Gaussian(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2, 2))
    assert float(information(apart)) == pytest.approx(0.5 * torch.tensor(2.0).log())
