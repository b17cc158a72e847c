"""Autoregressive rewards and DPO with a KL term of every token: by hand, and where they become plain DPO."""

from math import exp, log, log1p

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives import arm_loss, dpo_loss, token_dpo_loss

CHOSEN, REJECTED = tensor([-12.0, -30.0]), tensor([-20.0, -24.0])


def test_arm_loss_by_hand():
    # differences 8 and -6 at beta 0.5: margins 4 and -3
    got = arm_loss(CHOSEN, REJECTED, beta=0.5)
    assert_close(got, tensor([log1p(exp(-4.0)), log1p(exp(3.0))]))


def test_arm_loss_of_equal_answers_is_log_2_and_of_swapped_ones_differs_by_the_margin():
    # L(d) - L(-d) = -d exactly, d = beta x difference = 4 and -3
    assert_close(arm_loss(CHOSEN, CHOSEN, beta=0.5), tensor([log(2)] * 2))
    difference = arm_loss(CHOSEN, REJECTED, beta=0.5) - arm_loss(REJECTED, CHOSEN, beta=0.5)
    assert_close(difference, tensor([-4.0, 3.0]))


def test_arm_loss_is_dpo_with_a_uniform_reference_where_lengths_agree():
    # a uniform reference over V words gives both answers of T tokens -T log V: it cancels
    uniform = -7 * log(50)
    assert_close(arm_loss(CHOSEN, REJECTED, beta=0.1), dpo_loss(CHOSEN - uniform, REJECTED - uniform, beta=0.1))


def test_doubted_labels():
    # 0.9 L(d) + 0.1 L(-d) = L(d) + 0.1 d
    plain = arm_loss(CHOSEN, REJECTED, beta=0.5)
    assert_close(arm_loss(CHOSEN, REJECTED, beta=0.5, smoothing=0.1), plain + 0.1 * tensor([4.0, -3.0]))
    for smoothing in (-0.1, 0.5):
        with pytest.raises(BadValue, match="smoothing"):
            arm_loss(CHOSEN, REJECTED, beta=0.5, smoothing=smoothing)


def test_token_dpo_by_hand():
    # u: 3 - 1 = 2; k: -0.5 - (-0.2) = -0.3; beta 0.8: 0.8 (2 + 0.3) = 1.84
    got = token_dpo_loss(tensor([3.0]), tensor([1.0]), tensor([-0.5]), tensor([-0.2]), beta=0.8)
    assert_close(got, tensor([log1p(exp(-1.84))]))


def test_the_sign_of_the_kl_term():
    # written with positive KLs: u-difference - [KL(y_l) - KL(y_w)]: more KL on the chosen side raises the margin
    near = token_dpo_loss(tensor([3.0]), tensor([1.0]), tensor([0.0]), tensor([0.0]), beta=1.0)
    far = token_dpo_loss(tensor([3.0]), tensor([1.0]), tensor([-1.0]), tensor([0.0]), beta=1.0)
    assert_close(near, tensor([log1p(exp(-2.0))]))
    assert_close(far, tensor([log1p(exp(-3.0))]))


def test_without_kl_terms_it_is_dpo():
    none = torch.zeros(2)
    assert_close(token_dpo_loss(CHOSEN, REJECTED, none, none, beta=0.1), dpo_loss(CHOSEN, REJECTED, beta=0.1))
