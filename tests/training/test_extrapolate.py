"""Extrapolation of weights: its ends, and what it means for scores of a linear head."""

from __future__ import annotations

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.training.extrapolate import extrapolated

START, END = {"a": tensor([1.0, 0.1])}, {"a": tensor([3.0, 0.3])}


def test_by_hand():
    # 1 + 1.5 * (3 - 1) = 4, 0.1 + 1.5 * 0.2 = 0.4
    assert_close(extrapolated(START, END, alpha=0.5)["a"], tensor([4.0, 0.4]))


def test_its_ends_are_exact():
    assert (extrapolated(START, END, alpha=0.0)["a"] == END["a"]).all()
    assert (extrapolated(START, END, alpha=-1.0)["a"] == START["a"]).all()


def test_a_linear_head_on_frozen_features_only_mixes_the_scores_of_both():
    features = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    one, two = features @ START["a"], features @ END["a"]
    beyond = features @ extrapolated(START, END, alpha=0.7)["a"]
    assert_close(beyond, one + 1.7 * (two - one))


def test_weights_of_two_models_are_refused():
    with pytest.raises(BadValue, match="the names that end has"):
        extrapolated(START, {"b": tensor([1.0])}, alpha=0.0)
