"""Contrastive losses on vectors whose angles are known."""

from math import exp, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives.contrastive import info_nce, nt_xent


def test_info_nce_by_hand():
    # orthogonal pairs that belong together: cosine 1 to the partner, 0 to the other; temperature 1
    basis = torch.eye(2)
    assert_close(info_nce(basis, basis, temperature=1.0), torch.full((2,), -log(exp(1) / (exp(1) + 1))))


def test_info_nce_is_symmetric_and_has_no_opinion_where_all_are_alike():
    rng = torch.Generator().manual_seed(0)
    left, right = torch.randn(4, 3, generator=rng), torch.randn(4, 3, generator=rng)
    assert_close(info_nce(left, right, temperature=0.5), info_nce(right, left, temperature=0.5))
    same = torch.ones(4, 3)
    assert_close(info_nce(same, same, temperature=0.5), torch.full((4,), log(4)))


def test_nt_xent_by_hand():
    # each of four vectors meets its partner (cosine 1) and two others (cosine 0); itself is left out
    basis = torch.eye(2)
    assert_close(nt_xent(basis, basis, temperature=0.5), torch.full((2,), -log(exp(2) / (exp(2) + 2))))


def test_length_does_not_matter():
    left, right = tensor([[1.0, 2], [3, -1]]), tensor([[1.0, 1], [2, -2]])
    assert_close(nt_xent(left, right, temperature=0.1), nt_xent(5 * left, 0.1 * right, temperature=0.1))


@pytest.mark.parametrize("loss", [info_nce, nt_xent])
def test_a_step_brings_partners_together(loss):
    left = tensor([[1.0, 0.2], [0.1, 1.0]], requires_grad=True)
    right = torch.eye(2)
    before = loss(left, right, temperature=0.5).mean()
    before.backward()
    assert loss(left.detach() - 0.1 * left.grad, right, temperature=0.5).mean() < before
