"""Findings in every form of the report; the terminal shows those that say how far they can be trusted."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from operant.compare.report import page
from operant.compare.report.markdown import markdown
from operant.compare.report.terminal import terminal

EFFECT = {"mean": -0.2, "low": -0.3, "high": -0.1, "n": 3, "unknown": 0}
TRUSTED = {"method": "probe", "key": "strength", "name": "the <b>strength</b>", "unit": "share", "effect": EFFECT,
           "planted": 0.05, "power": 0.8, "false_alarms": 0.04, "runs": 1000}  # fmt: skip
BARE = {**TRUSTED, "key": "mean", "name": "the mean", "power": None, "false_alarms": None, "planted": None}


@pytest.fixture
def report(sample):
    return {**sample, "findings": [TRUSTED, BARE]}


def test_markdown_has_a_table_of_them(report):
    text = markdown(report)
    assert "## Findings" in text and "the mean" in text
    assert "power 80% for 0" in text and "false alarms 4" in text


def test_the_page_has_a_section_and_no_markup_of_theirs(report):
    text = page.html(report)
    assert "the &lt;b&gt;strength" in text and "<b>strength" not in text
    assert "the mean" in text and "power 80%" in text


def test_the_terminal_shows_what_can_be_trusted(report):
    stream = StringIO()
    Console(file=stream, width=200).print(terminal(report))
    assert "strength" in stream.getvalue() and "the mean" not in stream.getvalue()


def test_without_findings_there_is_no_section(sample):
    assert "## Findings" not in markdown({**sample, "findings": []})
