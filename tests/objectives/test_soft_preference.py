"""Soft labels: the loss by hand, where it is least, and what it becomes at 0, 1/2 and 1."""

from math import exp, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives import dpo_loss, smoothed_dpo_loss
from operant.objectives.soft_preference import soft_dpo_loss

FIRST, SECOND = tensor([2.0, -1.0, 0.5]), tensor([1.0, 3.0, 0.5])


def at(margin: float, label: float) -> float:
    return float(soft_dpo_loss(tensor([margin]), tensor([0.0]), tensor([label]), beta=1.0))


def test_sure_labels_are_dpo_and_dpo_on_swapped_pairs():
    ones = torch.ones(3)
    assert_close(soft_dpo_loss(FIRST, SECOND, ones, beta=0.3), dpo_loss(FIRST, SECOND, beta=0.3))
    assert_close(soft_dpo_loss(FIRST, SECOND, 0 * ones, beta=0.3), dpo_loss(SECOND, FIRST, beta=0.3))


def test_one_label_for_all_is_dpo_with_label_smoothing():
    got = soft_dpo_loss(FIRST, SECOND, torch.full((3,), 0.9), beta=0.3)
    assert_close(got, smoothed_dpo_loss(FIRST, SECOND, beta=0.3, smoothing=1 - 0.9))


def test_without_an_opinion_it_is_log_2_whatever_the_label():
    assert_close(soft_dpo_loss(FIRST, FIRST, tensor([0.1, 0.5, 0.9]), beta=0.1), torch.full((3,), log(2)))


@pytest.mark.parametrize("label, least, value", [(0.8, 1.386294, 0.500402), (0.9, 2.197225, 0.325083)])
def test_where_it_is_least(label, least, value):
    # sigmoid(m) = label at m = log(label / (1 - label)); there the loss is the label's own entropy
    margin = log(label / (1 - label))
    assert margin == pytest.approx(least, abs=1e-6)
    assert at(margin, label) == pytest.approx(-label * log(label) - (1 - label) * log(1 - label), abs=1e-6)
    assert at(margin, label) == pytest.approx(value, abs=1e-6)
    assert min(at(margin - 0.1, label), at(margin + 0.1, label)) > at(margin, label)


def test_a_value_and_its_gradient_by_hand():
    # margin 1, label 0.9: 0.9 log(1 + 1/e) + 0.1 log(1 + e); gradient sigmoid(1) - 0.9
    margin = tensor([1.0], requires_grad=True)
    loss = soft_dpo_loss(margin, tensor([0.0]), tensor([0.9]), beta=1.0)
    loss.sum().backward()
    want, pull = 0.9 * log(1 + exp(-1)) + 0.1 * log(1 + exp(1)), 1 / (1 + exp(-1)) - 0.9
    assert_close(loss.detach(), tensor([want]))
    assert_close(margin.grad, tensor([pull]))
    assert (round(want, 6), round(pull, 6)) == (0.413262, -0.168941)


def test_win_rates_as_labels():
    # r1 - r2 = 0.25: the label is sigmoid(0.25), least at a margin of 0.25: 0.685395; at 0 it is log 2 = 0.693147
    label = 1 / (1 + exp(-0.25))
    assert at(0.25, label) == pytest.approx(0.685395, abs=1e-6)
    assert at(0.0, label) == pytest.approx(0.693147, abs=1e-6)
    assert at(0.25, label) < min(at(0.2, label), at(0.3, label))


def test_beta_of_0_is_refused():
    with pytest.raises(BadValue, match="beta is 0"):
        soft_dpo_loss(FIRST, SECOND, torch.ones(3), beta=0.0)
