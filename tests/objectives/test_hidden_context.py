"""Losses of rewards that are distributions, by hand."""

from __future__ import annotations

from math import erf, log, log1p, sqrt

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives.hidden_context import categorical_loss, mean_variance_loss


def test_mean_variance_by_hand():
    # s = softplus(0) = log 2 for both, so P = Phi(1 / (sqrt 2 log 2)) for means 1 and 0
    got = mean_variance_loss(tensor([[1.0, 0.0]]), tensor([[0.0, 0.0]]))
    probability = (1 + erf(1 / (sqrt(2) * log(2)) / sqrt(2))) / 2
    assert got.item() == pytest.approx(-log(probability), rel=1e-5)


def test_more_spread_is_less_sure():
    tight, wide = (mean_variance_loss(tensor([[1.0, s]]), tensor([[0.0, s]])).item() for s in (-2.0, 2.0))
    assert tight < wide < log(2)


def test_categorical_by_hand():
    # p = (1/4, 3/4), q = (1/2, 1/2): P = 3/4 * 1/2 + (1/4 * 1/2 + 3/4 * 1/2) / 2 = 5/8
    won, lost = tensor([[0.0, log(3.0)]]), tensor([[0.0, 0.0]])
    assert_close(categorical_loss(won, lost, entropy=0.0), tensor([-log(5 / 8)]))
    # the mean of both is (3/8, 5/8)
    entropy = -(3 / 8 * log(3 / 8) + 5 / 8 * log(5 / 8))
    assert_close(categorical_loss(won, lost, entropy=0.1), tensor([-log(5 / 8) - 0.1 * entropy]))


def test_the_same_answer_twice_is_a_coin():
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    assert_close(categorical_loss(logits, logits, entropy=0.0), torch.full((4,), log(2.0)))
    assert_close(mean_variance_loss(logits[:, :2], logits[:, :2]), torch.full((4,), log1p(1.0)))
