"""Findings that quote their test's power and false alarms, and how they are stored."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from operant.disk import read_json, write_json
from operant.probes.findings import Probed, from_json, load_findings, probed, seen
from operant.schema import Finding
from operant.stats.crossed import Trials, over_items


def test_power_and_false_alarms_are_counted():
    def test(effect, runs):
        # Every second test is significant; with an effect of 1 it points up, without it down.
        p = np.where(np.arange(runs) % 2, 0.01, 0.5)
        return Trials(np.full(runs, effect or -1.0), p)

    found = seen(test, planted=1.0, runs=100)
    assert (found.planted, found.power.rate, found.false_alarms.rate) == (1.0, 0.5, 0.5)
    # one that is found with the wrong sign was not found
    wrong = seen(lambda effect, runs: Trials(np.full(runs, -effect), np.zeros(runs)), planted=1.0, runs=10)
    assert wrong.power.rate == 0 and wrong.power.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_a_finding_carries_interval_p_and_evidence():
    rate = seen(lambda effect, runs: Trials(np.full(runs, effect), np.full(runs, 0.01 if effect else 0.5)), planted=0.2)
    found = probed("gain", "a gain", over_items([1.0, 2.0, 3.0]), unit="points", trust=rate)
    assert found.low < found.effect == 2.0 < found.high and found.p is not None
    assert (found.planted, found.power, found.false_alarms, found.runs) == (0.2, 1.0, 0.0, rate.power.n)
    assert probed("x", "x", over_items([1.0, 2.0])).power is None


def test_findings_survive_the_disk_whichever_kind_they_are(tmp_path):
    some = (Finding(name="a", effect=1.0, low=0.0, high=2.0), probed("b", "b", over_items([1.0, 2.0])))
    write_json(tmp_path / "product.json", {"findings": [asdict(one) for one in some]})
    loaded = load_findings(object(), tmp_path, object()).findings
    assert loaded == some and isinstance(loaded[1], Probed) and not isinstance(loaded[0], Probed)
    assert from_json(read_json(tmp_path / "product.json")["findings"][0]) == some[0]
