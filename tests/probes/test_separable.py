"""The linear probe: what it finds where there is something, and where there is nothing."""

from __future__ import annotations

import numpy as np

from operant.probes.separable import separable

OWNERS = [f"user {place}" for place in range(40) for _ in range(3)]
GROUPS = ["even" if int(owner[5:]) % 2 == 0 else "odd" for owner in OWNERS]
NOISE = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")


def test_a_group_that_lies_apart_is_found():
    apart = NOISE + np.array([[3.0 if group == "even" else -3.0, 0, 0, 0] for group in GROUPS])
    found = separable(apart, GROUPS, OWNERS, seed=0)
    assert found.effect > 0.95 and found.low > 0.9


def test_noise_is_chance():
    found = separable(NOISE, GROUPS, OWNERS, seed=0)
    assert found.low < 0.5 < found.high


def test_an_owner_that_is_known_again_does_not_count():
    # every owner has a direction of their own, and nothing else: a probe fitted with them would know their group
    own = np.eye(40)[[int(owner[5:]) for owner in OWNERS]]
    assert separable(own, GROUPS, OWNERS, seed=0).effect <= 0.5


def test_too_little_to_tell():
    assert separable(NOISE, ["one"] * 120, OWNERS, seed=0) is None
    assert separable(NOISE[:4], list("abab"), list("wxyz"), seed=0) is None
