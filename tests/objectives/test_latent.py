"""KL of Gaussians and its annealing, by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives.latent import cyclical_cosine, gaussian_kl

NONE = torch.zeros(1)


def standard(mean, log_variance):
    return gaussian_kl(tensor([[mean]]), tensor([[log_variance]]), prior_mean=NONE, prior_log_variance=NONE)


def test_kl_to_the_standard_normal_by_hand():
    assert_close(standard(0.0, 0.0), tensor([0.0]))
    assert_close(standard(1.0, 0.0), tensor([0.5]))  # (0 - 1 + 1 + 1) / 2
    assert_close(standard(0.0, -1.0), tensor([(1 - 1 + exp(-1)) / 2]))


def test_dimensions_are_summed_and_rows_are_not():
    got = gaussian_kl(
        tensor([[1.0, 1.0], [0.0, 1.0]]),
        torch.zeros(2, 2),
        prior_mean=torch.zeros(2),
        prior_log_variance=torch.zeros(2),
    )
    assert_close(got, tensor([1.0, 0.5]))


def test_kl_to_another_prior_by_hand():
    # N(3, 1) to N(1, 4): (log 4 - 0 - 1 + (1 + 4) / 4) / 2
    got = gaussian_kl(
        tensor([[3.0]]), NONE[None], prior_mean=tensor([1.0]), prior_log_variance=tensor([log(4.0)])
    )  # fmt: skip
    assert_close(got, tensor([(log(4) - 1 + 5 / 4) / 2]))


def test_the_weight_climbs_from_its_floor_and_starts_again():
    # half of a period: floor + (1 - floor) / 2
    found = [cyclical_cosine(step, period=4, floor=0.1) for step in range(9)]
    assert found[0] == found[4] == found[8] == pytest.approx(0.1)
    assert found[2] == pytest.approx(0.1 + 0.9 / 2)
    assert found[0] < found[1] < found[2] < found[3] < 1
    with pytest.raises(BadValue):
        cyclical_cosine(0, period=0, floor=0.1)
