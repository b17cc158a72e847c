"""KL estimators by hand, and in expectation over a small vocabulary."""

from math import log

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import tensor
from torch.testing import assert_close

from operant.objectives import kl_full, kl_k1, kl_k2, kl_k3, token_k1, token_k2, token_k3

inf, nan = float("inf"), float("nan")
ONE = tensor([[True]])
P, Q = tensor([0.5, 0.25, 0.25], dtype=torch.float64), tensor([0.25, 0.25, 0.5], dtype=torch.float64)
# KL(P || Q) = 1/2 log 2 + 1/4 log 1 + 1/4 log 1/2 = 1/4 log 2
EXACT = log(2) / 4


def test_estimators_by_hand():
    # one answer of two tokens: p = 1/2, q = 1/4 -> r = 1/2; then p = 1/4, q = 1/2 -> r = 2; the third is padding
    policy, reference = tensor([[0.5, 0.25, 0.9]]).log(), tensor([[0.25, 0.5, 0.1]]).log()
    mask = tensor([[True, True, False]])
    assert_close(kl_k1(policy, reference, mask), tensor([log(2) - log(2)]))
    assert_close(kl_k2(policy, reference, mask), tensor([log(2) ** 2 / 2 + log(2) ** 2 / 2]))
    assert_close(kl_k3(policy, reference, mask), tensor([(1 / 2 - 1 + log(2)) + (2 - 1 - log(2))]))


def test_full_by_hand():
    got = kl_full(P.log()[None, None], Q.log()[None, None], ONE)
    assert_close(got, tensor([EXACT], dtype=torch.float64))
    shifted = kl_full(P.log()[None, None] + 5, Q.log()[None, None] - 3, ONE)  # logits, not log-probabilities
    assert_close(shifted, got)


@pytest.mark.parametrize(
    "estimate, want", [(kl_k1, EXACT), (kl_k3, EXACT), (kl_k2, (0.5 + 0 + 0.25) * log(2) ** 2 / 2)]
)
def test_expectation_over_the_policy(estimate, want):
    # every token once, weighted by P: k1 and k3 give the KL, k2 gives E (log r)^2 / 2, with log r = -+log 2 and 0
    each = estimate(P.log()[:, None], Q.log()[:, None], torch.ones(3, 1, dtype=torch.bool))
    assert (P * each).sum().item() == pytest.approx(want)


def test_gradients():
    # E over the policy's tokens of the gradient: k2's is the KL's, k1's is 0 (E grad log p = 0).
    logits = P.log().clone().requires_grad_()
    (exact,) = torch.autograd.grad(kl_full(logits[None, None], Q.log()[None, None], ONE).sum(), logits)

    def expected(estimate):
        logps = logits.log_softmax(0)
        each = estimate(logps[:, None], Q.log()[:, None], torch.ones(3, 1, dtype=torch.bool))
        return torch.autograd.grad((P * each).sum(), logits)[0]

    assert_close(expected(kl_k2), exact)
    assert_close(expected(kl_k1), torch.zeros(3, dtype=torch.float64))
    assert exact.abs().max() > 0.1


@pytest.mark.parametrize("estimate", [kl_k1, kl_k2, kl_k3])
@pytest.mark.parametrize("padding", [nan, -inf])
def test_padding_changes_nothing_and_gets_no_gradient(estimate, padding):
    policy = tensor([[-1.0, padding]], requires_grad=True)
    got = estimate(policy, tensor([[-2.0, 0.0]]), tensor([[True, False]]))
    assert_close(got, estimate(tensor([[-1.0]]), tensor([[-2.0]]), ONE))
    got.sum().backward()
    assert policy.grad[0, 0] != 0 and policy.grad[0, 1] == 0


def test_the_same_policy_is_at_distance_0():
    logps = tensor([[-1.0, -2.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    for estimate in (kl_k1, kl_k2, kl_k3):
        assert_close(estimate(logps, logps, mask), tensor([0.0]))


def test_full_with_tokens_that_cannot_come():
    # policy (1/2, 1/2, 0) against (1/4, 1/4, 1/2): log 2. The other way round it is infinite.
    policy, reference = tensor([[[0.0, 0.0, -inf]]]), tensor([[[0.0, 0.0, log(2)]]])
    assert_close(kl_full(policy, reference, ONE), tensor([log(2)]))
    assert_close(kl_full(reference, policy, ONE), tensor([inf]))
    banned = tensor([[[0.0, 1.0, -inf]]], requires_grad=True)
    kl_full(banned, policy, ONE).sum().backward()  # banned in both
    assert banned.grad.isfinite().all() and banned.grad[0, 0, 1] > 0


def test_shapes_are_checked():
    with pytest.raises(TypeCheckError):
        kl_full(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(TypeCheckError):
        kl_k3(torch.zeros(2, 3), torch.zeros(1, 3), torch.ones(2, 3, dtype=torch.bool))


def test_tokens_sum_to_the_answer():
    policy, reference = tensor([[-1.0, -2.0, nan], [-3.0, nan, nan]]), tensor([[-2.0, -1.5, 0.0], [-2.5, 0.0, nan]])
    mask = tensor([[True, True, False], [True, False, False]])
    for token, whole in ((token_k1, kl_k1), (token_k2, kl_k2), (token_k3, kl_k3)):
        each = token(policy, reference, mask)
        assert_close(each.sum(1), whole(policy, reference, mask))
        assert not each[~mask].any()
