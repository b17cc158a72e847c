"""The report: counts that always add up, whatever the file."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from operant.data.check import check
from operant.data.codes import CODES
from operant.data.files import UnreadableData
from operant.data.lengths import summary
from operant.data.read import read_rows
from operant.data.tally import LISTED
from operant.errors import OperantError

from .conftest import pair

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def adds_up(report):
    return report.rows == report.kept + report.unusable + sum(report.dropped.values())


def test_json_has_exactly_these_keys(write):
    report = check(write([pair(), pair(chosen="")]))
    data = json.loads(json.dumps(report.to_json()))
    assert list(data) == ["kind", "rows", "kept", "problems", "dropped", "lengths", "cut"]
    assert (data["kind"], data["rows"], data["kept"], data["cut"]) == ("preference", 2, 1, None)
    assert list(data["problems"][0]) == ["code", "severity", "file", "line", "column", "problem"]
    assert data["dropped"] == {"tie": 0, "no_verdict": 0}


def test_duplicates_contradictions_and_repeated_prompts(write):
    rows = [
        pair(),  # 1
        pair(source="elsewhere"),  # 2: the same prompt and answers
        pair(chosen="that", rejected="this"),  # 3: the opposite of 1
        pair(prompt="Why?"),  # 4: another prompt
        pair(prompt="a", chosen="a b", rejected="a c"),  # 5
    ]
    found = [(problem.code, problem.line) for problem in check(write(rows)).problems]
    assert found == [("duplicate", 2), ("contradiction", 3), ("prompt_repeated", 5)]


def test_opposite_labels_of_one_completion_contradict(write):
    rows = [{"prompt": "a", "completion": "b", "label": label} for label in (True, False, True)]
    report = check(write(rows))
    assert [(problem.code, problem.line) for problem in report.problems] == [("contradiction", 2), ("duplicate", 3)]


def test_prompts_shared_between_splits(write):
    rows = [
        pair(split="train"),
        pair(split="train", chosen="b"),
        pair(split="test", chosen="c"),
        pair(prompt="Why?", split="test"),
        pair(prompt="Who?", split="fold 3"),
    ]
    found = [(problem.code, problem.line, problem.column) for problem in check(write(rows)).problems]
    assert found == [("shared_prompt", 3, "split"), ("unknown_split", 5, "split")]


def test_summary_by_hand():
    # 1 1 2 10: the middle two are 1 and 2; 95% of 4 rows are 3.8, so the 4th smallest
    counts = Counter({1: 2, 2: 1, 10: 1})
    assert summary(counts) == {"min": 1, "median": (1 + 2) / 2, "mean": (1 + 1 + 2 + 10) / 4, "p95": 10, "max": 10}
    # of 1..100 exactly 95 do not exceed 95
    assert summary(Counter(range(1, 101)))["p95"] == 95


def test_lengths_and_cut_in_characters(write):
    # max 8: the prompt of 6 with answers of 3 and 1 does not fit (6 + 3 > 8): 4 of it stay, 4 are left for each answer
    rows = [pair("abcdef", "xyz", "x"), pair("p", "aaaaaab", "aaaac"), pair("pppp", "aaaab", "aaaac")]
    report = check(write(rows), max_length=8)
    assert report.lengths["unit"] == "characters"
    assert report.lengths["prompt"] == {"min": 1, "median": 4, "mean": (6 + 1 + 4) / 3, "p95": 6, "max": 6}
    # row 1: prompt cut; row 2: fits; row 3: 4 + 5 > 8, the prompt has its half already, both answers lose their last
    # letter and are then the same
    assert report.cut == {
        "max_length": 8,
        "unit": "characters",
        "rows": 2,
        "prompts": 1,
        "answers": 1,
        "dropped": 0,
        "identical": 1,
    }
    assert [(problem.code, problem.line) for problem in report.problems] == [("identical_after_cut", 3)]
    assert report.kept == 3  # a maximum changes what training sees, not what the file holds


@pytest.fixture
def word_tokenizer(tmp_path):
    """One token a word; set to cut and pad, which must not change the lengths."""
    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_truncation(2)
    made.enable_padding(length=7)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_lengths_in_tokens(write, word_tokenizer):
    report = check(write([pair("one two three", "four", "five six")]), tokenizer=word_tokenizer, max_length=4)
    assert report.lengths["unit"] == "tokens"
    assert [report.lengths[side]["max"] for side in ("prompt", "chosen", "rejected")] == [3, 1, 2]
    # 3 + 2 > 4: the prompt keeps 2, each answer has room for 2
    assert (report.cut["prompts"], report.cut["answers"]) == (1, 0)


def test_messages_count_their_contents(write, word_tokenizer):
    row = {"messages": [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]}
    assert check(write([row]), tokenizer=word_tokenizer).lengths["text"]["max"] == 3


def test_a_tokenizer_that_is_none(write, tmp_path):
    path = write([pair()])
    with pytest.raises(OperantError, match=r"holds no tokenizer\.json"):
        check(path, tokenizer=tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(OperantError, match="is no tokenizer file"):
        check(path, tokenizer=tmp_path)


def test_the_list_of_problems_is_capped_and_says_so(write):
    report = check(write([pair()] + [pair(chosen="")] * (LISTED + 5) + [pair()] * 3))
    # the notices have a list of their own, so the flood of empty answers does not hide them
    assert report.counts == {"empty_answer": LISTED + 5, "duplicate": 3}
    assert Counter(problem.code for problem in report.problems) == {
        "empty_answer": LISTED,
        "duplicate": 3,
        "not_listed": 1,
    }
    assert report.problems[-1].problem == "5 more problems are not listed: 5 empty_answer"
    assert adds_up(report)


def _good_file(number_of_rows: int) -> list[bytes]:
    rows = [
        {
            "instruction": f"Say {at}",
            "output_1": f"yes {at}",
            "output_2": f"no {at}",
            "preference": (1, 2, 1.5, None)[at % 4],
        }
        for at in range(number_of_rows)
    ]
    return [json.dumps(row).encode() + b"\n" for row in rows]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_random_damage_never_crashes_and_every_row_is_counted(write, name):
    rng = random.Random(0)
    good = _good_file(40)
    if name == "rows.json":
        good = [b"["] + [line.rstrip() + b",\n" for line in good[:-1]] + [good[-1], b"]"]
    if name == "rows.csv":
        good = [b"instruction,output_1,output_2,preference\n"] + [b'"Say, %d",yes,no,1\n' % at for at in range(40)]
    whole = b"".join(good)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] = rng.randrange(256)
        try:
            report = check(write(bytes(damaged), name))
        except UnreadableData:
            assert name != "rows.jsonl"  # one byte of a header or of the first bracket can hide a whole file, not here
            continue
        assert adds_up(report)


def test_random_damage_loses_no_line_that_it_did_not_touch(write):
    rng = random.Random(1)
    good = _good_file(40)
    whole = b"".join(good)
    values = [json.loads(line) for line in good]
    for _ in range(200):
        at, byte = rng.randrange(len(whole)), rng.randrange(256)
        damaged = bytearray(whole)
        damaged[at] = byte
        touched = whole[:at].count(b"\n")
        # the line feed itself joins two lines; a new one makes two of one, which moves what follows
        joined = {touched, touched + 1} if whole[at : at + 1] == b"\n" else {touched}
        untouched = [value for number, value in enumerate(values) if number not in joined]
        read = [row.value for row in read_rows(write(bytes(damaged))) if row.value is not None]
        assert [value for value in read if value in untouched] == untouched


def test_random_damage_of_gzip(write):
    rng = random.Random(2)
    whole = gzip.compress(b"".join(_good_file(200)))
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        try:
            report = check(write(bytes(damaged), "rows.jsonl.gz"))
        except UnreadableData:
            refused += 1
            continue
        assert adds_up(report)
        # a flipped bit of the header's time stamp changes nothing; any other is noticed, at the latest by the checksum
        assert report.unusable or (report.rows, report.kept) == (200, 100)
    assert refused < 200


def test_every_code_is_documented():
    table = DOCS.read_text(encoding="utf-8")
    assert [code for code in CODES if f"| `{code}` | {CODES[code][0]} |" not in table] == []
