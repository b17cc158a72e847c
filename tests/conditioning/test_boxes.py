"""Regions between boxes, boxes as waves, and boxes that are refused."""

import math

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.conditioning.boxes import (
    between_boxes,
    box_areas,
    checked_boxes,
    fourier_boxes,
    mirrored,
    union_boxes,
)
from operant.errors import OperantError


@pytest.mark.parametrize(
    "one, other, wanted",
    [
        ([0, 0, 0.4, 0.4], [0.6, 0.6, 1, 1], [0.4, 0.4, 0.6, 0.6]),  # apart: the gap
        ([0, 0, 0.6, 0.6], [0.4, 0.4, 1, 1], [0.4, 0.4, 0.6, 0.6]),  # over each other: the overlap
        ([0, 0, 1, 1], [0.2, 0.2, 0.5, 0.5], [0.2, 0.2, 0.5, 0.5]),  # one inside: the inner one
    ],
)
def test_the_region_between_is_the_middle_two_coordinates(one, other, wanted):
    one, other = tensor(one), tensor(other)
    assert_close(between_boxes(one, other), tensor(wanted))
    assert_close(between_boxes(other, one), tensor(wanted))
    assert (union_boxes(one, other) == tensor([0.0, 0.0, 1.0, 1.0])).all()


def test_waves_by_hand():
    # frequencies 100^(0/2) = 1 and 100^(1/2) = 10; of each the four sines, then the four cosines
    box = [0.1, 0.2, 0.3, 0.4]
    wanted = [wave(rate * value) for rate in (1, 10) for wave in (math.sin, math.cos) for value in box]
    assert_close(fourier_boxes(tensor(box), frequencies=2), tensor(wanted))
    assert fourier_boxes(torch.rand(2, 3, 4)).shape == (2, 3, 64)


def test_areas_and_mirrors_by_hand():
    box = tensor([0.1, 0.2, 0.4, 0.6])
    assert_close(box_areas(box), tensor(0.3 * 0.4))
    assert_close(mirrored(box), tensor([0.6, 0.2, 0.9, 0.6]))
    assert_close(mirrored(mirrored(box)), box)


@pytest.mark.parametrize("box", [[0.5, 0, 0.5, 1], [0.6, 0, 0.5, 1], [-0.1, 0, 0.5, 1], [0, 0, 0.5, 1.01]])
def test_boxes_that_are_none_are_refused(box):
    good = [0.0, 0.0, 1.0, 1.0]
    assert checked_boxes(tensor([good]), what="a box").tolist() == [good]
    with pytest.raises(OperantError, match=r"subject box is \[.*left < right and top < bottom"):
        checked_boxes(tensor([good, box]), what="subject box")
