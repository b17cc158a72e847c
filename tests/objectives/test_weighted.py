"""Unlikelihood and weights by reward: by hand, where they are plain likelihood, and which way they push."""

from math import exp, log

import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives import answer_nll_batch_mean, reward_weights, unlikelihood_batch_mean, weighted_nll_batch_mean

# Two texts, of 3 tokens and of 1; what is behind the second one's token is padding.
LOGPS = tensor([[0.5, 0.8, 0.25], [0.8, 0.1, 0.1]]).log()
MASK = tensor([[True, True, True], [True, False, False]])


def loss(logps, good, *, alpha=1.0, mask=MASK):
    return unlikelihood_batch_mean(logps, mask, good, alpha=alpha, batch_tokens=4, batch_texts=2)


def test_by_hand():
    # text 1: learn p = 0.5, unlearn 0.8 and 0.25: -log 0.5 - 2 log(1 - 0.8) - 2 log(1 - 0.25), alpha 2
    # text 2: unlearn p = 0.8: -2 log 0.2;  2 texts over 4 tokens
    good = tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = tensor([log(2) + 2 * log(5) + 2 * log(4 / 3), 2 * log(5)]) * 2 / 4
    assert_close(loss(LOGPS, good, alpha=2.0), expected)


def test_one_bad_token_of_probability_four_fifths_costs_log_5():
    one = unlikelihood_batch_mean(
        LOGPS[:1, 1:2], MASK[:1, 1:2], torch.zeros(1, 1), alpha=1.0, batch_tokens=1, batch_texts=1
    )
    assert_close(one, tensor([-log(1 - 0.8)]))


def test_with_all_good_it_is_the_likelihood_exactly():
    plain = answer_nll_batch_mean(LOGPS, MASK, batch_tokens=4, batch_examples=2)
    assert torch.equal(loss(LOGPS, torch.ones(2, 3), alpha=3.0), plain)


def test_between_good_and_bad_it_mixes():
    # half good, p = 0.5: both terms are log 2
    half = unlikelihood_batch_mean(
        tensor([[0.5]]).log(), MASK[:1, :1], tensor([[0.25]]), alpha=1.0, batch_tokens=1, batch_texts=1
    )
    assert_close(half, tensor([0.25 * log(2) + 0.75 * log(2)]))


def test_a_bad_token_becomes_less_likely_and_a_good_one_more():
    logps = LOGPS.clone().requires_grad_()
    loss(logps, tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])).sum().backward()
    assert_close(logps.grad.sign(), tensor([[-1.0, 1.0, -1.0], [1.0, 0.0, 0.0]]))  # padding gets none


def test_a_certain_bad_token_stays_finite():
    # 1 - p is 0: the logarithm is cut off at 1e-20
    sure = torch.zeros(1, 1)
    got = unlikelihood_batch_mean(sure, MASK[:1, :1], torch.zeros(1, 1), alpha=1.0, batch_tokens=1, batch_texts=1)
    assert_close(got, tensor([20 * log(10)]))


def test_padding_changes_nothing():
    longer = torch.cat([LOGPS, torch.full((2, 1), float("nan"))], 1)
    mask = torch.cat([MASK, torch.zeros(2, 1, dtype=torch.bool)], 1)
    good = torch.zeros(2, 4)
    assert_close(loss(longer, good, mask=mask), loss(LOGPS, good[:, :3]))


def test_weights_by_reward_by_hand():
    # R -0.5: exp(-0.5 / 10) = 0.9512, and with 0.5 expected less exp(0) = 1; AWR: exp(-0.5 + 0.2) = 0.7408
    reward = tensor([[-0.5]])
    assert_close(reward_weights(reward, 0.0, beta=10.0), tensor([[exp(-0.05)]]))
    assert_close(reward_weights(reward, tensor([[-0.5]]), beta=10.0), tensor([[1.0]]))
    assert_close(reward_weights(reward, tensor([[-0.2]]), beta=1.0), tensor([[exp(-0.3)]]))
    assert_close(reward_weights(tensor([[10.0]]), 0.0, beta=1.0), tensor([[1000.0]]))  # at most
    assert_close(reward_weights(reward, 0.0, beta=1e9), tensor([[1.0]]))  # plain likelihood
    expected = tensor([[-0.2]], requires_grad=True)
    assert not reward_weights(reward, expected, beta=1.0).requires_grad


def test_an_untrained_value_head_only_scales_every_weight():
    # expected -1/2 everywhere: exp((R + 1/2) / beta) = e^(1 / (2 beta)) times the weight without
    rewards = tensor([[-1.0, 0.0, -0.3]])
    scaled = reward_weights(rewards, -0.5 * torch.ones(1, 3), beta=10.0)
    assert_close(scaled, exp(0.05) * reward_weights(rewards, 0.0, beta=10.0))


def test_weighted_likelihood_by_hand():
    # -log p 1 and 2, weights 0.5 and 1, a third token left out; 2 texts, 4 tokens in the batch
    logps, mask = tensor([[-1.0, -2.0, -5.0]]), tensor([[True, True, False]])
    got = weighted_nll_batch_mean(logps, mask, tensor([[0.5, 1.0, 9.0]]), batch_tokens=4, batch_texts=2)
    assert_close(got, tensor([(0.5 * 1 + 1 * 2) * 2 / 4]))
