"""log-sigmoid-centred by hand, and why its sum is an AND where a raw sum is not."""

from math import e, exp, log, log1p

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives import (
    clipped,
    log_sigmoid_centred,
    log_sigmoid_sum,
    normalised_sum,
    raw_sum,
    sigmoid_centred,
)

inf, nan = float("inf"), float("nan")


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_values_by_hand():
    # at the reference -log 2 = -0.693147; at +2, -2, +5: -log(1 + e^-2), -log(1 + e^2), -log(1 + e^-5)
    got = log_sigmoid_centred(tensor([3.0, 2.0, -2.0, 5.0]), tensor([3.0, 0.0, 0.0, 0.0]))
    assert_close(got, tensor([-log(2), -log1p(exp(-2)), -log1p(exp(2)), -log1p(exp(-5))]))
    assert_close(got, tensor([-0.693147, -0.126928, -2.126928, -0.006715]), atol=1e-6, rtol=0)


def test_slope_is_the_chance_of_losing_to_the_reference():
    reward = tensor([0.0, 2.0, -2.0], requires_grad=True)
    log_sigmoid_centred(reward, torch.zeros(3)).sum().backward()
    assert_close(reward.grad, tensor([1 / 2, sigmoid(-2), sigmoid(2)]))


def test_far_below_it_is_the_distance_and_nothing_underflows():
    # -softplus(z) = -z - log(1 + e^-z): off by less than e^-7 < 1e-3 from 7 below the reference on
    far = torch.linspace(-1000, -7, 50)
    got = log_sigmoid_centred(far, torch.zeros(50))
    assert ((got - far).abs() < 1e-3).all()


def test_a_shift_of_reward_and_reference_changes_nothing():
    reward, reference = tensor([1.0, -2.0]), tensor([0.5, 3.0])
    assert_close(log_sigmoid_centred(reward + 64, reference + 64), log_sigmoid_centred(reward, reference))


def test_ranking_within_a_prompt_is_kept():
    reward = torch.randn(32, generator=torch.Generator().manual_seed(0))
    assert (log_sigmoid_centred(reward, torch.full((32,), 0.7)).argsort() == reward.argsort()).all()


def test_the_sum_is_an_and():
    # (5, -5) ties with (0, 0) in the raw sum; log-sigmoid gives -log(1+e^-5) - log(1+e^5) and -2 log 2
    rewards = tensor([[5.0, 0.0], [-5.0, 0.0]])
    assert_close(raw_sum(rewards, torch.ones(2)), tensor([0.0, 0.0]))
    got = log_sigmoid_sum(rewards, torch.zeros(2, 2))
    assert_close(got, tensor([-log1p(exp(-5)) - log1p(exp(5)), -2 * log(2)]))
    assert_close(got, tensor([-5.013431, -1.386294]), atol=1e-6, rtol=0)


def test_the_tilt_is_the_product_of_chances():
    # Of a uniform base over candidates: exp(u), normalised, is the product of sigmoids, normalised.
    rng = torch.Generator().manual_seed(1)
    rewards, references = (torch.randn(3, 8, generator=rng, dtype=torch.float64) * 3 for _ in range(2))
    product = torch.sigmoid(rewards - references).prod(0)
    got = log_sigmoid_sum(rewards, references)
    assert_close(got.exp(), product)
    assert_close(got.softmax(0), product / product.sum())


def test_one_property_is_the_plain_transform():
    reward, reference = tensor([1.0, 2.0]), tensor([0.0, 4.0])
    assert_close(log_sigmoid_sum(reward[None], reference[None]), log_sigmoid_centred(reward, reference))


def test_an_uncentred_reference_fails_as_it_should():
    # All rewards near 10 against a reference of 0: no signal. All near -10: the raw reward.
    spread = tensor([-1.0, 0.0, 1.0])
    high = log_sigmoid_centred(10 + spread, torch.zeros(3))
    low = log_sigmoid_centred(-10 + spread, torch.zeros(3))
    assert high.max() - high.min() < 2 * exp(-9)
    assert_close(low, -10 + spread, atol=2 * exp(-9), rtol=0)


def test_the_plain_ways_by_hand():
    rewards = tensor([[1.0, 3.0], [10.0, 20.0]])
    assert_close(raw_sum(rewards, tensor([2.0, 0.5])), tensor([2 * 1 + 0.5 * 10, 2 * 3 + 0.5 * 20]))
    got = normalised_sum(rewards, mean=tensor([2.0, 10.0]), std=tensor([0.5, 5.0]))
    assert_close(got, tensor([(1 - 2) / 0.5 + (10 - 10) / 5, (3 - 2) / 0.5 + (20 - 10) / 5]))
    assert_close(clipped(tensor([-3.0, 0.5, 9.0]), low=-1.0, high=2.0), tensor([-1.0, 0.5, 2.0]))
    assert_close(sigmoid_centred(tensor([1.0, 1.0]), tensor([0.0, 1.0])), tensor([e / (1 + e), 1 / 2]))


def test_infinite_rewards_are_allowed():
    got = log_sigmoid_centred(tensor([inf, -inf]), torch.zeros(2))
    assert_close(got, tensor([0.0, -inf]))
    assert_close(log_sigmoid_sum(tensor([[inf], [-inf]]), torch.zeros(2, 1)), tensor([-inf]))
    assert_close(sigmoid_centred(tensor([inf, -inf]), torch.zeros(2)), tensor([1.0, 0.0]))
    reward = tensor([inf, -inf], requires_grad=True)
    log_sigmoid_centred(reward, torch.zeros(2)).sum().backward()
    assert_close(reward.grad, tensor([0.0, 1.0]))


two = torch.zeros(2)


@pytest.mark.parametrize(
    "shape",
    [
        lambda r: log_sigmoid_centred(r, two),
        lambda r: log_sigmoid_centred(two, r),
        lambda r: log_sigmoid_sum(r[None], two[None]),
        lambda r: raw_sum(r[None], torch.ones(1)),
        lambda r: normalised_sum(r[None], mean=torch.zeros(1), std=torch.ones(1)),
        lambda r: clipped(r, low=0.0, high=1.0),
        lambda r: sigmoid_centred(r, two),
    ],
)
def test_an_unknown_reward_is_refused_by_name(shape):
    with pytest.raises(BadValue, match="reward of sample 1 is nan"):
        shape(tensor([0.0, nan]))


def test_what_has_no_value_is_refused():
    with pytest.raises(BadValue, match="reward of sample 0"):  # infinity against infinity
        log_sigmoid_centred(tensor([inf]), tensor([inf]))
    with pytest.raises(BadValue, match="at least one property"):
        log_sigmoid_sum(torch.zeros(0, 2), torch.zeros(0, 2))
    with pytest.raises(BadValue, match="low is 2.0; expected below high"):
        clipped(two, low=2.0, high=1.0)
    with pytest.raises(TypeCheckError):
        log_sigmoid_centred(torch.zeros(2), torch.zeros(1))  # one global reference must be spelt out


def test_log_of_sigmoid_would_have_underflowed():
    assert torch.sigmoid(tensor(-200.0)).log() == -inf
    assert_close(log_sigmoid_centred(tensor([-200.0]), tensor([0.0])), tensor([-200.0]))
