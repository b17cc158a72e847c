"""V-trace against its sums written out."""

from math import log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives.vtrace import VTrace, actor_critic_loss, vtrace


def column(*values: float) -> torch.Tensor:
    return tensor([float(value) for value in values])[:, None]


def test_on_policy_targets_are_discounted_returns():
    # rho = 1: v_1 = r_1 + g V_after = 2 + .5 * 4 = 4; v_0 = r_0 + g v_1 = 1 + .5 * 4 = 3
    got = vtrace(column(0, 0), column(1, 2), column(10, 20), tensor([4.0]), discounts=column(0.5, 0.5))
    assert_close(got.targets, column(3.0, 4.0))
    # advantage_0 = r_0 + g v_1 - V_0 = 1 + .5 * 4 - 10; advantage_1 = 2 + .5 * 4 - 20
    assert_close(got.advantages, column(1 + 0.5 * 4 - 10, 2 + 0.5 * 4 - 20))


def test_a_less_likely_action_counts_less_and_a_likelier_one_no_more():
    # rho_0 = 1/2, rho_1 = min(1, 3) = 1.  delta_1 = 2 + .5 * 4 - 20 = -16; delta_0 = .5 (1 + .5 * 20 - 10) = .5
    # v_1 = 20 - 16 = 4; v_0 = 10 + .5 + .5 * .5 * (-16) = 6.5; advantage_0 = .5 (1 + .5 * 4 - 10) = -3.5
    got = vtrace(column(log(0.5), log(3)), column(1, 2), column(10, 20), tensor([4.0]), discounts=column(0.5, 0.5))
    assert_close(got.targets, column(10 + 0.5 + 0.5 * 0.5 * -16, 20 - 16.0))
    assert_close(got.advantages, column(0.5 * (1 + 0.5 * 4 - 10), 2 + 0.5 * 4 - 20.0))


def test_nothing_passes_the_end_of_an_episode():
    one = vtrace(column(0, 0), column(1, 2), column(10, 20), tensor([4.0]), discounts=column(0.0, 0.5))
    other = vtrace(column(0, 0), column(1, 7), column(10, 30), tensor([9.0]), discounts=column(0.0, 0.5))
    assert one.targets[0] == other.targets[0] == 1.0


def test_environments_do_not_mix():
    many = [torch.randn(5, 3, generator=torch.Generator().manual_seed(place)) for place in range(3)]
    after, discounts = torch.randn(3, generator=torch.Generator().manual_seed(9)), torch.full((5, 3), 0.9)
    whole = vtrace(*many, after, discounts=discounts)
    alone = vtrace(*(one[:, 1:2] for one in many), after[1:2], discounts=discounts[:, 1:2])
    assert_close(whole.targets[:, 1:2], alone.targets)


def test_the_three_parts_by_hand():
    # two actions with probabilities 1/4 and 3/4; the second was taken, advantage 2, target 5, value 3
    logits = tensor([log(1.0), log(3.0)])[None, None]
    told = VTrace(tensor([[5.0]]), tensor([[2.0]]))
    parts = actor_critic_loss(logits, tensor([[3.0]]), tensor([[1]]), told)
    assert_close(parts.policy, tensor([[-2 * log(3 / 4)]]))
    assert_close(parts.value, tensor([[0.5 * (5 - 3.0) ** 2]]))
    assert_close(parts.entropy, tensor([[-(0.25 * log(0.25) + 0.75 * log(0.75))]]))


@pytest.mark.parametrize("advantage, sign", [(1.0, 1), (-1.0, -1)])
def test_a_step_makes_a_good_action_likelier(advantage, sign):
    logits = torch.zeros(1, 1, 2, requires_grad=True)
    told = VTrace(tensor([[0.0]]), tensor([[advantage]]))
    actor_critic_loss(logits, tensor([[0.0]]), tensor([[1]]), told).policy.sum().backward()
    assert -sign * logits.grad[0, 0, 1] > 0
