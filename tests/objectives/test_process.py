"""Clipped rewards of steps, and their differences: by hand, and that more steps are not worth more."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives.process import clipped_steps, delta_steps, returns

STEPS = tensor([0.9, 0.8, 0.9, 0.3, 0.7])


def test_clipped_by_hand():
    # at least 0.7 is good; 0.3 is 0.4 short of it
    assert_close(clipped_steps(STEPS, threshold=0.7), tensor([0.0, 0.0, 0.0, 0.3 - 0.7, 0.0]))


def test_delta_by_hand():
    # each less the next; the last but one keeps its 0.3, the last has nothing
    got = delta_steps(STEPS)
    assert_close(got, tensor([0.9 - 0.8, 0.8 - 0.9, 0.9 - 0.3, 0.3, 0.0]))
    assert_close(returns(got), tensor([0.9, 0.8, 0.9, 0.3, 0.0]))  # what follows a step is its own reward


def test_both_by_hand():
    got = delta_steps(clipped_steps(STEPS, threshold=0.7))
    assert_close(got, tensor([0.0, 0.0, 0.4, -0.4, 0.0]))
    assert_close(returns(got), tensor([0.0, 0.0, 0.0, -0.4, 0.0]))  # from any step on between -threshold and 0


@pytest.mark.parametrize("copies", [1, 5])
def test_a_good_step_said_again_and_again(copies):
    # 0.8 stands m times more: as it is the sum grows by 0.8 m; clipped by 0; of differences the first return stays
    more = torch.cat([STEPS[:2], tensor([0.8] * copies), STEPS[2:]])
    assert_close(more.sum() - STEPS.sum(), tensor(0.8 * copies))
    assert_close(clipped_steps(more, threshold=0.7).sum(), clipped_steps(STEPS, threshold=0.7).sum())
    assert_close(returns(delta_steps(more))[0], returns(delta_steps(STEPS))[0])


def test_ends_of_the_threshold():
    assert_close(clipped_steps(STEPS, threshold=0.0), torch.zeros(5))
    assert_close(clipped_steps(STEPS, threshold=1.0), STEPS - 1)
    with pytest.raises(BadValue, match="threshold"):
        clipped_steps(STEPS, threshold=1.2)


def test_one_step_has_no_difference():
    assert_close(delta_steps(tensor([0.9])), torch.zeros(1))
    assert_close(delta_steps(tensor([0.9, 0.2])), tensor([0.9, 0.0]))


def test_differences_shape_by_a_potential_up_to_the_first_step():
    # A chain of three choices between two steps, then the answer. With potential -r of each step, shaping would add
    # r(k) - r(k+1) everywhere, also 0 - r(1) before the first: Delta leaves that out, so that the return of a solution
    # moves by r of its first step alone, and what is best given the first step stays best.
    worth = {(0, 1, 1): 1.0, (1, 0, 1): 0.6}  # success of whole solutions; others 0
    reward = {(place, choice): 0.1 + 0.2 * place + 0.3 * choice for place in range(3) for choice in range(2)}
    plans = list(product(range(2), repeat=3))
    paid = {plan: worth.get(plan, 0.0) for plan in plans}
    for plan in plans:
        steps = tensor([*(reward[place, choice] for place, choice in enumerate(plan)), 0.5])  # and the final answer
        shaped = paid[plan] + float(delta_steps(steps).sum())
        assert shaped == pytest.approx(paid[plan] + reward[0, plan[0]])
