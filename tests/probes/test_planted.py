"""The stated power and false-alarm rate are what a simulation gives."""

from __future__ import annotations

import numpy as np
import pytest

from operant.errors import BadValue
from operant.probes.planted import ALARMED, FOUND, INERT, PLANTED, RUNS, findings, helps, outcomes, simulate


def test_the_stated_rates_are_found_again():
    seen = simulate(runs=1000, rng=np.random.default_rng(1))
    assert seen.power.low < FOUND / RUNS < seen.power.high
    assert seen.false_alarms.low < ALARMED / RUNS < seen.false_alarms.high
    power, alarms = findings()
    assert (power.effect, alarms.effect) == (FOUND / RUNS, ALARMED / RUNS)
    assert power.low < power.effect < power.high


def test_flips_are_shares_of_all_items():
    table = outcomes([PLANTED, INERT], items=200_000, accuracy=0.7, rng=np.random.default_rng(0))
    plain, planted, inert = table
    assert plain.mean() == pytest.approx(0.7, abs=0.005)
    assert (planted & ~plain).mean() == pytest.approx(PLANTED.up, abs=0.005)
    assert (plain & ~planted).mean() == pytest.approx(PLANTED.down, abs=0.005)
    assert inert.mean() == pytest.approx(0.7, abs=0.005)


def test_directions():
    plain = np.array([True] * 20 + [False] * 20)
    assert helps(np.array([plain, np.ones(40), np.zeros(40), plain])) == [1, -1, 0]


def test_there_must_be_room_for_the_flips():
    with pytest.raises(BadValue, match="room for the planted flips"):
        simulate(runs=1, accuracy=0.9, rng=np.random.default_rng(0))
