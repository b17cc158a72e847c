"""Every way a file can be broken: what is said, where, and that the good rows around it stay."""

import gzip
import io
import json
import pickle
import zipfile
from collections import Counter
from time import process_time

import pytest

from operant.data.check import check
from operant.data.codes import Flaw
from operant.data.files import UnreadableData
from operant.data.parse import MAX_DEPTH, array_elements, parse_object
from operant.data.read import LONG_LINE, lines, read_rows

from .conftest import pair

GOOD = json.dumps(pair()).encode()


def codes(report):
    return [(problem.code, problem.line, problem.severity) for problem in report.problems]


@pytest.mark.parametrize(
    "bad, code",
    [
        (b'{"prompt": "a", "chosen": "b", "rej', "truncated_json"),
        (b'{"prompt": "a", "chosen": "b"', "truncated_json"),
        (b'{"prompt": a}', "bad_json"),
        (b'{"prompt": "\xff", "chosen": "b", "rejected": "c"}', "bad_utf8"),
        (b'{"prompt": "\\ud800", "chosen": "b", "rejected": "c"}', "lone_surrogate"),
        (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": NaN}', "non_finite"),
        (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": -Infinity}', "non_finite"),
        (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": 1e999}', "non_finite"),
        (b'{"n": ' + b"1" * 5000 + b"}", "bad_json"),
        (b"[" * 100_000, "deep_nesting"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "deep_nesting"),
        (b"[1, 2]", "not_object"),
        (b'"text"', "not_object"),
    ],
)
def test_a_bad_line_is_named_and_costs_only_itself(write, bad, code):
    # line 1 good, line 2 bad, line 3 blank (no row), line 4 another good row
    other = json.dumps(pair(chosen="other")).encode()
    report = check(write(GOOD + b"\n" + bad + b"\n\n" + other))
    assert codes(report) == [(code, 2, "row")]
    assert (report.rows, report.kept, report.unusable) == (3, 2, 1)


def test_depth_at_the_limit_and_brackets_inside_strings_are_fine(write):
    inner = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)  # the object itself is the first level
    rows = [json.dumps(pair(chosen="[" * 1000)), json.dumps(pair())[:-1] + f', "deep": {inner}}}']
    assert check(write("\n".join(rows).encode())).kept == 2


def test_harmless_oddities_are_notices_and_the_row_stays(write):
    separators = json.dumps(pair(chosen="a\u2028b\u0085c"), ensure_ascii=False).encode()
    twice = b'{"prompt": "p", "chosen": "x", "rejected": "y", "chosen": "z"}'
    path = write(b"\xef\xbb\xbf" + GOOD + b"\r\n" + separators + b"\r\n" + twice + b"\n")
    report = check(path)
    assert codes(report) == [
        ("bom", 1, "notice"),
        ("crlf", 1, "notice"),  # once, though line 2 ends so too
        ("u2028", 2, "notice"),
        ("duplicate_key", 3, "notice"),
    ]
    assert (report.rows, report.kept) == (3, 3)
    assert [row.value["chosen"] for row in read_rows(path)] == ["this", "a\u2028b\u0085c", "z"]


def test_a_long_line_is_noticed_and_read(write):
    report = check(write([pair(chosen="x" * LONG_LINE)]))
    assert codes(report) == [("long_line", 1, "notice")] and report.kept == 1


def test_a_line_above_the_hard_limit_is_skipped_in_pieces():
    # the limit is without the line feed: 5 bytes fit, 6 do not
    found = list(lines(io.BufferedReader(io.BytesIO(b"12345\n123456\n1\n")), longest=5))
    assert [(line.number, line.raw) for line in found] == [(1, b"12345\n"), (2, b""), (3, b"1\n")]
    assert [line.flaw.code if line.flaw else None for line in found] == [None, "line_too_long", None]


def test_gzip_is_told_by_its_bytes_not_its_name(write):
    for name in ("rows.jsonl.gz", "rows.jsonl"):
        assert check(write(gzip.compress(GOOD + b"\n"), name)).kept == 1


def test_truncated_gzip_keeps_what_was_whole(write):
    rows = [pair(prompt=f"{number} {pow(7, number, 10**9 + 7)}") for number in range(2000)]
    whole = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    report = check(write(whole[: len(whole) // 2], "rows.jsonl.gz"))
    assert report.counts == {"truncated_gzip": 1}
    assert 100 < report.kept < 2000 and report.rows == report.kept + 1
    assert report.problems[0].line == report.kept + 1  # the line that was being read


def test_a_wrong_checksum_is_corrupt_gzip(write):
    data = bytearray(gzip.compress(GOOD + b"\n"))
    data[-5] ^= 1  # the last 8 bytes are CRC-32 and length
    report = check(write(bytes(data), "rows.jsonl.gz"))
    assert report.counts == {"corrupt_gzip": 1} and report.kept == 1


def test_json_array(write):
    rows = [pair(chosen="a, ] } [ {"), pair(chosen='a "quoted" one\\'), pair()]
    for name in ("rows.json", "rows.json.gz", "rows"):
        text = json.dumps(rows, indent=1).encode()
        path = write(gzip.compress(text) if name.endswith("gz") else text, name)
        assert [(row.line, row.value) for row in read_rows(path)] == list(enumerate(rows, 1))


def test_a_bad_array_element_costs_only_itself(write):
    text = b"[" + GOOD + b', {"prompt": oops}, {"prompt": "\xff"}, ' + GOOD + b"]"
    report = check(write(text, "rows.json"))
    assert codes(report) == [("bad_json", 2, "row"), ("bad_utf8", 3, "row"), ("duplicate", 4, "notice")]
    assert report.kept == 2


@pytest.mark.parametrize("cut, kept", [(b"", 1), (b",", 1), (b', {"prompt": "a', 1)])
def test_an_array_that_is_never_closed_says_so(write, cut, kept):
    report = check(write(b"[" + GOOD + cut, "rows.json"))
    assert codes(report)[-1][0] == "truncated_json" and report.kept == kept


def test_array_elements_are_cut_at_outer_commas():
    assert list(array_elements('[{"a": [1, 2]}, "x, y", 3]')) == ['{"a": [1, 2]}', ' "x, y"', " 3"]
    assert list(array_elements("[]")) == []
    assert list(array_elements("[1] 2")) == ["1", "2"]  # what follows the end does not vanish


def test_csv(write):
    text = 'prompt,chosen,rejected,split\r\n"Which,\r\n""one""?",this,that,test\r\n\r\nWhy?,so,thus,train\r\n'
    path = write(text.encode("utf-8-sig"), "rows.csv")
    rows = list(read_rows(path))
    assert [(row.line, row.value["prompt"]) for row in rows] == [(2, 'Which,\r\n"one"?'), (5, "Why?")]
    report = check(path)
    assert report.kept == 2 and report.unusable == 0


def test_bad_csv_rows_are_named(write):
    text = b'prompt,chosen,rejected\na,b\nd,e\xff,f\n"x"y,b,c\ng,h,i\n"open,b,c\n'
    report = check(write(text, "rows.csv"))
    assert codes(report) == [
        ("bad_csv", 2, "row"),
        ("bad_utf8", 3, "row"),
        ("bad_csv", 4, "row"),
        ("bad_csv", 6, "row"),
    ]
    assert report.kept == 1


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("rows.jsonl", GOOD)
    return held.getvalue()


@pytest.mark.parametrize(
    "data, name, said",
    [
        (b"", "rows.jsonl", "empty"),
        (b"\n \n", "rows.jsonl", "no rows"),
        (b"prompt,chosen,rejected\n", "rows.csv", "no rows"),
        (b"[]", "rows.json", "no rows"),
        (pickle.dumps(pair()), "rows.jsonl", "pickle"),
        (_zip(), "rows.jsonl", "zip archive"),
        (b"PAR1\x15\x04", "rows.parquet", "convert it to JSON Lines"),
        (b"PAR1\x15\x04", "rows.jsonl", "convert it to JSON Lines"),
        ((200).to_bytes(8, "little") + b'{"weight":{"dtype":"F32"}}' + bytes(100), "rows.jsonl", "safetensors"),
        (bytes(range(32)) * 10, "rows.jsonl", "binary data"),
        (GOOD.decode().encode("utf-16"), "rows.jsonl", "UTF-16"),
        (GOOD, "rows.jsonl.gz", "no gzip data"),
        (gzip.compress(pickle.dumps(pair()), mtime=0), "rows.jsonl.gz", "pickle"),
        (gzip.compress(b"", mtime=0)[:5], "rows.jsonl.gz", "truncated_gzip"),
        (b"Hello, world\n", "rows.txt", "name it .jsonl"),
        (b"Hello\nworld\n", "rows.jsonl", "bad_json at line 1"),
        (b'{"a": 1}\n', "rows.jsonl", "--columns"),
    ],
)
def test_what_is_no_feedback_at_all_is_refused_by_name(write, data, name, said):
    with pytest.raises(UnreadableData, match=said):
        check(write(data, name))


def test_paths_that_are_no_files(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.jsonl"):
        with pytest.raises(UnreadableData, match="directory|does not exist"):
            check(path)


def test_one_stray_nul_does_not_make_a_file_binary(write):
    report = check(write(GOOD + b"\n" + GOOD.replace(b"this", b"th\x00s") + b"\n"))
    assert Counter(report.counts) == {"bad_json": 1} and report.kept == 1


def test_a_string_that_never_ends_is_read_in_linear_time():
    # 70 brackets outside strings are too few to stop early: a quadratic reader would scan the rest once for each quote
    text = "[]" * 70 + '"' + '\\"' * 2_000_000
    before = process_time()
    with pytest.raises(Flaw):
        parse_object(text)
    assert process_time() - before < 5
