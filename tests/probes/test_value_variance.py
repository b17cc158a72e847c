"""The share of the values' variance that lies between contexts."""

import numpy as np
import pytest

from operant.errors import BadValue
from operant.probes.value_variance import value_variance, value_variance_finding


def test_features_that_mean_the_same_everywhere():
    assert value_variance([{"a": 1.0, "b": 3.0}] * 3) == 0


def test_features_that_mean_something_else_in_each_context():
    # a is 0 or 2, b is 2 or 0: mean variance within a feature 1, whole variance 1
    assert value_variance([{"a": 0.0, "b": 2.0}, {"a": 2.0, "b": 0.0}]) == 1


def test_in_between_by_hand():
    # within a: var(0, 2) = 1, within b: var(4, 4) = 0, mean .5; whole: var(0, 2, 4, 4) = 2.75
    assert value_variance([{"a": 0.0, "b": 4.0}, {"a": 2.0, "b": 4.0}]) == pytest.approx(0.5 / 2.75)


def test_what_one_context_alone_has_says_nothing():
    assert value_variance([{"a": 0.0, "x": 9.0}, {"a": 2.0}]) == 1
    assert value_variance([{"a": 0.0}, {"b": 2.0}]) == 0


def test_one_context_is_refused():
    with pytest.raises(BadValue, match="at least 2"):
        value_variance([{"a": 1.0}])


def test_the_interval_holds_the_effect():
    rng = np.random.default_rng(0)
    contexts = [{place: float(rng.normal() + place) for place in range(5)} for _ in range(30)]
    found = value_variance_finding("s", contexts, rng=rng)
    # variance within 1, between features 2, so a third of the whole
    assert found.low < 1 / 3 < found.high
    assert found.low <= found.effect <= found.high
