"""The Bradley-Terry loss by hand."""

from math import e, log

import pytest
from jaxtyping import TypeCheckError
from torch import tensor
from torch.testing import assert_close

from operant.objectives import bradley_terry_loss


def test_bradley_terry_by_hand():
    # P(chosen wins) = e^2 / (e^2 + e^1) for rewards 2 and 1; a half for equal ones
    got = bradley_terry_loss(tensor([2.0, 5.0]), tensor([1.0, 5.0]))
    assert_close(got, tensor([-log(e**2 / (e**2 + e)), log(2)]))


def test_margin_is_a_lead_that_costs_log_2():
    got = bradley_terry_loss(tensor([3.0, 3.0]), tensor([1.0, 1.0]), margin=tensor([2.0, 1.0]))
    assert_close(got, tensor([log(2), log(1 + 1 / e)]))
    assert_close(
        bradley_terry_loss(tensor([3.0]), tensor([1.0]), margin=tensor([0.0])),
        bradley_terry_loss(tensor([3.0]), tensor([1.0])),
    )


def test_only_the_difference_counts_and_the_gradient_is_the_chance_of_being_wrong():
    chosen, rejected = tensor([2.0], requires_grad=True), tensor([1.0], requires_grad=True)
    bradley_terry_loss(chosen + 7, rejected + 7).sum().backward()
    assert_close(chosen.grad, tensor([-1 / (1 + e)]))
    assert_close(rejected.grad, tensor([1 / (1 + e)]))


def test_shapes_are_checked():
    with pytest.raises(TypeCheckError):
        bradley_terry_loss(tensor([1.0, 2.0]), tensor([[1.0, 2.0]]))
    with pytest.raises(TypeCheckError):
        bradley_terry_loss(tensor([1.0, 2.0]), tensor([1.0, 2.0]), margin=tensor([1.0]))
