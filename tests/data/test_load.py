"""What a run gets: the usable rows, or an error that says which are not."""

import pytest

from operant.data.load import BadRows, load
from operant.errors import BadValue, OperantError

from .conftest import pair

ROWS = [pair(f"prompt {number}") for number in range(4)]


def test_bad_rows_stop_and_are_named(write):
    path = write([ROWS[0], pair(chosen=""), *ROWS[1:], pair(rejected=5)])
    with pytest.raises(BadRows) as caught:
        load(path)
    said = str(caught.value)
    assert "2 of 6 rows" in said and "--on-bad-row skip" in said
    assert "line 2, chosen: empty_answer" in said and "line 6, rejected: wrong_type" in said


def test_bad_rows_skipped_are_counted(write):
    loaded = load(write([ROWS[0], pair(chosen=""), *ROWS[1:]]), on_bad_row="skip")
    assert [record.prompt for record in loaded.records] == [row["prompt"] for row in ROWS]
    assert (loaded.kind, loaded.report.rows, loaded.report.kept, loaded.report.unusable) == ("preference", 5, 4, 1)


def test_limit_is_of_usable_rows_and_reading_stops_there(write):
    row = {"instruction": "a", "output_1": "b", "output_2": "c"}
    rows = [{**row, "preference": verdict} for verdict in (None, 1, 1.5, 2, 7, 1)]
    loaded = load(write(rows), limit=2)
    # null and 1.5 are dropped and do not count; the bad verdict 7 lies behind the second usable row
    assert [record.line for record in loaded.records] == [2, 4]
    assert (loaded.report.rows, loaded.report.dropped) == (4, {"tie": 1, "no_verdict": 1})


def test_many_bad_rows_are_summed_up(write):
    with pytest.raises(BadRows, match="and 3 more"):
        load(write([ROWS[0]] + [pair(chosen="")] * 8))


def test_no_row_left(write):
    row = {"instruction": "a", "output_1": "b", "output_2": "c", "preference": None}
    with pytest.raises(OperantError, match="no row is left of 1"):
        load(write([row]))


def test_settings_are_checked(write):
    path = write(ROWS)
    for settings in ({"limit": 0}, {"on_bad_row": "ignore"}):
        with pytest.raises(BadValue, match=next(iter(settings))):
            load(path, **settings)
