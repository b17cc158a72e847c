"""Masks, log-probabilities and whitening by hand."""

from math import e, log, sqrt

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.ops import masked_mean, masked_sum, token_logps, whiten

nan, inf = float("nan"), float("inf")


def test_masked_sum_and_mean_by_hand():
    values = tensor([[1.0, 2.0, 6.0], [5.0, 7.0, 9.0]])
    mask = tensor([[True, False, True], [False, True, False]])
    assert_close(masked_sum(values, mask), tensor([1.0 + 6.0, 7.0]))
    assert_close(masked_mean(values, mask), tensor([(1.0 + 6.0) / 2, 7.0]))


def test_a_mask_that_keeps_nothing():
    values, mask = tensor([1.0, 2.0]), tensor([False, False])
    assert masked_sum(values, mask) == 0
    assert masked_mean(values, mask).isnan()  # the mean of nothing is unknown, not 0


@pytest.mark.parametrize("padding", [nan, inf, -inf])
def test_what_is_masked_may_hold_anything(padding):
    values = tensor([3.0, padding, 5.0], requires_grad=True)
    got = masked_mean(values, tensor([True, False, True]))
    got.backward()
    assert_close(got.detach(), tensor(4.0))
    assert_close(values.grad, tensor([0.5, 0.0, 0.5]))


def test_token_logps_by_hand():
    # logits log 1, log 2, log 5 are probabilities 1/8, 2/8, 5/8; a shift of all changes nothing
    logits = tensor([[1.0, 2.0, 5.0]] * 2).log() + tensor([[0.0], [100.0]])
    assert_close(token_logps(logits, tensor([2, 0])), tensor([log(5 / 8), log(1 / 8)]), atol=1e-5, rtol=0)


def test_token_logps_counts_in_fp32():
    # 2,048 equal logits: each has -log 2048 = -7.6246, which bf16 (8 bits) can only write as -7.625.
    logits = torch.zeros(1, 2048, dtype=torch.bfloat16)
    got = token_logps(logits, tensor([7]))
    assert got.dtype == torch.float32
    assert_close(got, tensor([-log(2048)]))
    assert token_logps(logits.double(), tensor([7])).dtype == torch.float64


def test_token_logps_gradient_is_one_minus_probability():
    logits = tensor([[0.0, 1.0]], requires_grad=True)
    token_logps(logits, tensor([1])).sum().backward()
    p = e / (1 + e)
    assert_close(logits.grad, tensor([[-(1 - p), 1 - p]]))


def test_whiten_by_hand():
    # mean 4, population variance ((-3)^2 + 0 + 3^2) / 3 = 6
    assert_close(whiten(tensor([1.0, 4.0, 7.0])), tensor([-3 / sqrt(6), 0.0, 3 / sqrt(6)]))
    masked = whiten(tensor([[1.0, nan], [4.0, 7.0]]), tensor([[True, False], [True, True]]))
    assert_close(masked, tensor([[-3 / sqrt(6), 0.0], [0.0, 3 / sqrt(6)]]))
    assert_close(whiten(tensor([2.0, 2.0])), tensor([0.0, 0.0]))
