"""Findings over seeds: what a report shows of them, by hand, and how claims about them are judged."""

from __future__ import annotations

import pytest

from operant.compare.findings import compare_findings, named, shown
from operant.compare.report.view import trust

ROW = "epistemic-markers"  # whose card makes claims about the keys `strength` and `ece`


def cell(*, p=0.5, **effects):
    held = [
        {"key": key, "name": f"the {key}", "effect": effect, "low": effect - 0.1, "high": effect + 0.1, "unit": "share",
         "p": p, "planted": 0.05, "power": 0.8, "false_alarms": 0.04, "runs": 1000}
        for key, effect in effects.items()
    ]  # fmt: skip
    return {"findings": held}


def test_findings_without_a_key_go_by_their_name():
    assert named({"findings": [{"name": "gain", "effect": 1.0}, {"name": "x", "key": "k"}]}).keys() == {"gain", "k"}
    assert named({"findings": None}) == {}


def test_a_line_is_the_mean_over_seeds():
    cells = {ROW: {0: cell(strength=-0.3), 1: cell(strength=-0.1), 2: cell(strength=-0.2)}}
    (line,) = shown(cells)
    assert line["effect"]["mean"] == pytest.approx(-0.2) and line["effect"]["n"] == 3
    # standard deviation .1 over 3 seeds; t with 2 degrees of freedom 4.303
    assert line["effect"]["high"] == pytest.approx(-0.2 + 4.303 * 0.1 / 3**0.5, abs=1e-4)
    assert (line["power"], line["planted"]) == (pytest.approx(0.8), pytest.approx(0.05))


def test_of_two_seeds_the_interval_is_the_mean_of_theirs():
    (line,) = shown({ROW: {0: cell(strength=-0.3), 1: cell(strength=-0.1)}})
    assert (line["effect"]["low"], line["effect"]["high"]) == pytest.approx((-0.3, -0.1))


def test_a_claim_about_a_finding_stands_alone_against_base():
    cells = {ROW: {seed: cell(strength=-0.2 + 0.01 * seed, other=1.0) for seed in range(3)}, "base": {}}
    cells["base"] = {seed: {"findings": []} for seed in range(3)}
    (found,) = compare_findings([(ROW, "base")], cells, seeds=3)
    assert (found["metric"], found["difference"], found["verdict"]) == ("strength", pytest.approx(-0.19), "less")
    assert not found["for_these_seeds_only"] and found["high"] < 0


def test_against_another_row_differences_are_paired_by_seed():
    other = f"{ROW}:questions=9"
    cells = {ROW: {0: cell(strength=0.3), 1: cell(strength=0.5)}, other: {0: cell(strength=0.1), 1: cell(strength=0.3)}}
    (found,) = compare_findings([(ROW, other)], cells, seeds=2)
    assert found["difference"] == pytest.approx(0.2) and found["for_these_seeds_only"]


def test_one_seed_has_the_findings_own_interval():
    cells = {ROW: {0: cell(strength=-0.2, p=0.01)}, "base": {0: {"findings": []}}}
    (found,) = compare_findings([(ROW, "base")], cells, seeds=1)
    assert (found["low"], found["high"], found["p"]) == (pytest.approx(-0.3), pytest.approx(-0.1), 0.01)
    assert found["verdict"] == "less"


def test_a_seed_that_is_missing_makes_no_comparison():
    cells = {ROW: {0: cell(strength=-0.2)}, "base": {0: {"findings": []}}}
    assert compare_findings([(ROW, "base")], cells, seeds=2) == []


def test_what_a_test_sees_is_said_in_words():
    (line,) = shown({ROW: {0: cell(strength=-0.2)}})
    assert trust(line) == "power 80% for 0.05, false alarms 4.0%, of 1,000 tables"
    assert trust({**line, "power": None}) == ""
