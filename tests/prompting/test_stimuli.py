"""The sentences: verbatim, in plain ASCII, grouped as published."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from operant.errors import BadValue, UnknownName
from operant.prompting.stimuli import ELEVEN, EMOTIONAL, Stimulus, StimulusSet

ROOT = os.environ.get("OPERANT_TEST_DATA")


def test_eleven_and_a_long_one():
    assert ELEVEN == tuple(f"EP{place:02}" for place in range(1, 12))
    assert set(EMOTIONAL.ids) - set(ELEVEN) == {"EP06-long"}


def test_the_compound_is_its_parts():
    parts = [EMOTIONAL[name].text for name in ("EP01", "EP02", "EP03")]
    assert EMOTIONAL["EP06"].text == " ".join(parts) == EMOTIONAL.text("EP01+EP02+EP03")


def test_apostrophes_are_straight_and_spaces_single():
    for one in EMOTIONAL:
        assert one.text.isascii()
        assert " ".join(one.text.split()) == one.text
    assert EMOTIONAL["EP03"].text.count("'") == EMOTIONAL["EP05"].text.count("'") == 1


def test_theories_as_published():
    assert EMOTIONAL.of_theory("self-monitoring") == ("EP01", "EP02", "EP03", "EP04", "EP05")
    assert EMOTIONAL.of_theory("social-cognitive") == ("EP07", "EP08", "EP09", "EP10", "EP11")
    assert EMOTIONAL.of_theory("cognitive-emotion-regulation") == ("EP03", "EP04", "EP05", "EP07")
    with pytest.raises(UnknownName, match="self-monitoring"):
        EMOTIONAL.of_theory("self-monitorin")


def test_none_has_no_words_and_strangers_are_refused():
    assert EMOTIONAL.text("none") == ""
    with pytest.raises(UnknownName, match="did you mean 'EP12'|did you mean 'EP1"):
        EMOTIONAL.text("EP12")
    with pytest.raises(BadValue, match="each id once"):
        StimulusSet((Stimulus("A", "a"), Stimulus("A", "b")))


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_words_are_those_of_the_published_list():
    path = Path(str(ROOT)) / "emotional_stimuli" / "stimuli.jsonl"
    published = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    theirs = {row["stimulus_id"]: row["text"].replace("\u2019", "'") for row in published}
    for name in ELEVEN:
        ours = EMOTIONAL["EP06-long" if name == "EP06" else name].text
        # The published code writes EP01 with a small first letter.
        assert ours[0].lower() + ours[1:] == theirs[name][0].lower() + theirs[name][1:]
