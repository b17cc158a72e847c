"""DPO and RPO by hand: values, pulls on either answer, limits."""

from math import e, exp, log, log1p

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives import answer_nll_sum, dpo_loss, rpo_loss


def test_dpo_loss_by_hand():
    # pair 1: margin 0            -> -log sigmoid(0) = log 2
    # pair 2: margin 10, beta 0.1 -> -log sigmoid(1) = log(1 + 1/e)
    got = dpo_loss(tensor([3.0, 4.0]), tensor([3.0, -6.0]), beta=0.1)
    assert_close(got, tensor([log(2), log(1 + 1 / e)]))


def test_dpo_pulls_and_pushes_alike():
    # d loss / d chosen = -beta sigmoid(-margin) = -(d loss / d rejected); margin = 0.1 (20 - 10) = 1
    chosen, rejected = tensor([20.0], requires_grad=True), tensor([10.0], requires_grad=True)
    dpo_loss(chosen, rejected, beta=0.1).sum().backward()
    pull = 0.1 / (1 + e)
    assert_close(chosen.grad, tensor([-pull]))
    assert_close(rejected.grad, tensor([pull]))


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_dpo_survives_extremes(margin):
    chosen = tensor([margin], requires_grad=True)
    loss = dpo_loss(chosen, tensor([0.0]), beta=1.0)
    loss.sum().backward()
    assert_close(loss.detach(), tensor([max(-margin, 0.0)]))
    assert_close(chosen.grad, tensor([-1.0 if margin < 0 else 0.0]))


def test_dpo_refuses_to_broadcast():
    # (2,) against (1,) would have been taken as one rejected answer for both.
    with pytest.raises(TypeCheckError):
        dpo_loss(tensor([1.0, 2.0]), tensor([1.0]), beta=0.1)
    with pytest.raises(BadValue, match="beta"):
        dpo_loss(tensor([1.0]), tensor([1.0]), beta=0.0)


def test_rpo_loss_by_hand():
    # beta 0.01, log-ratios 20 and -30 -> margin 0.5 -> log(1 + exp(-0.5)) = 0.4741
    # -log pi(chosen) = 120 nats, weight 0.005      -> + 0.6 = 1.0741
    imitation = answer_nll_sum(tensor([[-50.0, -70.0]]), tensor([[True, True]]))
    got = rpo_loss(tensor([20.0]), tensor([-30.0]), imitation, beta=0.01, weight=0.005)
    assert_close(got, tensor([log1p(exp(-0.5)) + 0.005 * 120]))
    assert_close(got, tensor([1.0741]), atol=5e-5, rtol=0)


def pulls(margin: float, *, weight: float, beta: float) -> tuple[float, float]:
    """d loss / d log pi of chosen and of rejected, whose log ref are -60 and -80."""
    chosen = tensor([-60.0 + margin / beta], requires_grad=True)
    rejected = tensor([-80.0], requires_grad=True)
    rpo_loss(chosen + 60, rejected + 80, -chosen, beta=beta, weight=weight).sum().backward()
    return chosen.grad.item(), rejected.grad.item()


@pytest.mark.parametrize("margin", [-2.0, 0.0, 0.5])
def test_rpo_pulls_by_beta_w_plus_weight_and_pushes_by_beta_w(margin):
    w = 1 / (1 + exp(margin))  # sigmoid(-margin)
    assert pulls(margin, weight=0.005, beta=0.1) == pytest.approx((-(0.1 * w + 0.005), 0.1 * w), rel=1e-5)


def test_rpo_at_the_reference():
    # policy = reference: margin 0, loss log 2 + weight * nll, pull beta / 2 + weight
    assert pulls(0.0, weight=0.3, beta=0.1) == pytest.approx((-(0.1 / 2 + 0.3), 0.1 / 2))
    got = rpo_loss(tensor([0.0]), tensor([0.0]), tensor([60.0]), beta=0.1, weight=0.3)
    assert_close(got, tensor([log(2) + 0.3 * 60]))


def test_rpo_limits():
    chosen, rejected, nll = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).unbind()
    assert_close(rpo_loss(chosen, rejected, nll, beta=0.1, weight=0.0), dpo_loss(chosen, rejected, beta=0.1))
    assert pulls(60.0, weight=0.005, beta=0.1) == pytest.approx((-0.005, 0.0), abs=1e-9)  # saturated: only imitation
    with pytest.raises(BadValue, match="weight is -0.1; expected a number of at least 0"):
        rpo_loss(chosen, rejected, nll, beta=0.1, weight=-0.1)
