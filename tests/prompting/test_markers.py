"""The list of markers: its counts, its tags, and the released table where that is at hand."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from operant.errors import UnknownName
from operant.prompting.markers import ANALYSED, MARKERS, STRONG, TAGS, WEAK, marker, sides

ROOT = os.environ.get("OPERANT_TEST_DATA")


def test_the_counts_of_the_paper():
    assert (len(WEAK), len(STRONG), len(MARKERS)) == (31, 18, 31 + 18 + 4)
    assert len({one.text for one in MARKERS}) == len(MARKERS)
    assert len(ANALYSED) == 31 + 18 + 2  # with "It's" and none, without the two negated ones
    counts = {tag: sum(getattr(one, tag) for one in MARKERS) for tag in ("factive", "evidential", "source")}
    assert counts == {"factive": 11, "evidential": 27, "source": 16}


def test_sides_hold_every_marker_with_a_strength_once():
    for tag in TAGS:
        inside, outside = sides(tag)
        assert {*inside, *outside} == {*STRONG, *WEAK} and not set(inside) & set(outside)
    assert sides("strength") == (STRONG, WEAK)
    with pytest.raises(UnknownName, match="did you mean 'factive'"):
        sides("facitve")


def test_a_marker_by_its_text():
    assert marker("We know it's").factive and marker("We know it's").pronoun
    with pytest.raises(UnknownName, match="no marker named"):
        marker("We knew it")


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_every_tag_is_the_released_one():
    path = Path(ROOT or "") / "epistemic_markers/uncertainty_templates.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    strengths = {"hedge": "weakener", "booster": "strengthener", "none": "none"}
    for row, one in zip(rows, MARKERS, strict=True):
        assert one.text == ("" if row["name"] == "unprompted" else row["name"])
        assert one.strength == strengths[row["booster"]]
        released = (row["shield"], row["evi_markers"], row["factive_verb"], row["authority"], row["ppn"])
        names = ("plausibility", "evidential_marker", "factive_verb", "authority", "ppn")
        ours = (one.shield, one.evidential, one.factive, one.source, one.pronoun)
        assert ours == tuple(value == name for value, name in zip(released, names, strict=True))
