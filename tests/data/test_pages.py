"""docs/data.md: each row that it shows is read, and written, as it says."""

import json
import re
from pathlib import Path

import pytest

from operant.data.known import LAYOUTS
from operant.data.layouts import OURS, best_fit
from operant.data.layouts_out import TARGETS
from operant.data.load import load
from operant.data.rewrite import as_rows

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
IN, OUT = PAGE.partition("## Convert")[::2]
ROW = re.compile(r"^\| `(\w+)` \| (.*) \| `(\{.*\})` \|$", re.MULTILINE)


@pytest.mark.parametrize("kind, columns, row", ROW.findall(IN))
def test_a_row_that_is_shown_is_read_as_its_kind(write, kind, columns, row):
    assert load(write([json.loads(row)])).kind == kind


def test_every_layout_is_shown():
    shown = {best_fit(json.loads(row), {}).layout.name for _, _, row in ROW.findall(IN)}
    assert shown == {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize("to, holds, row", ROW.findall(OUT))
def test_a_row_that_is_shown_is_what_we_write(write, to, holds, row):
    (shown,) = [json.loads(row)]
    assert tuple(re.findall(r"`(\w+)`", holds)) == TARGETS[to].kinds
    assert as_rows(load(write([shown])).records, to).rows == [shown]


def test_every_layout_that_is_written_is_shown():
    assert sorted(to for to, _, _ in ROW.findall(OUT)) == sorted(TARGETS)


def test_every_name_of_columns_is_listed():
    listed = PAGE.partition("Ours: ")[2].partition(". Theirs")[0]
    assert set(OURS) <= set(re.findall(r"\w+", listed))
