"""Writing: what is written reads back as the same records, in every layout and container that can hold it."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace

import datasets
import pyarrow.parquet as pq
import pytest

from operant.data.check import check
from operant.data.layouts_out import KINDS, TARGETS
from operant.data.load import load
from operant.data.records import Content, Record
from operant.data.rewrite import as_rows, rewrite
from operant.data.write import CSV_FIELD, Unwritable, write_rows
from operant.errors import OperantError

TABLES = ["rows.parquet", "rows.arrow", "folder"]
JSONS = ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows.json.gz"]
CSVS = ["rows.csv", "rows.csv.gz"]
ODD = 'a "quoted"\u2028 line,\r\nand é another\n'


def turns(*said: str) -> tuple[Mapping[str, str], ...]:
    """Alternating, beginning with the user; a first text in brackets is the system's."""
    roles = ["user", "assistant"] * len(said)
    return tuple(
        {"role": role, "content": text}
        for role, text in zip(["system", *roles] if said[0][0] == "[" else roles, said, strict=False)
    )


def answer(text: str) -> Content:
    return ({"role": "assistant", "content": text},)


def record(kind, **fields):
    return Record(kind=kind, line=0, **({"prompt": ODD} | fields))


def promptless(kind, **fields):
    return Record(kind=kind, line=0, **fields)


LONG = turns("[Be brief.]", "Hi", "Hello", "Which?")
SAMPLES: dict[str, dict[str, list[Record]]] = {
    "text": {"text": [promptless("text", text=ODD, source="web"), promptless("text", text="b", split="test")]},
    "messages": {"chat": [promptless("messages", text=turns("Which?", "this")), promptless("messages", text=LONG)]},
    "prompt_only": {"text": [record("prompt_only")], "chat": [record("prompt_only", prompt=LONG, split="valid")]},
    "prompt_completion": {
        "text": [record("prompt_completion", completion=ODD, columns={"topic": "x"})],
        "chat": [record("prompt_completion", prompt=LONG, completion=answer("this"))],
    },
    "preference": {
        "text": [
            record("preference", chosen="this", rejected="that", margin=0.5, ratings=(8.5, 8.0), baseline="none"),
            record("preference", prompt="b", chosen="this", rejected="that", split="train"),
        ],
        "chat": [record("preference", prompt=LONG, chosen=answer("this"), rejected=answer("that"), ratings=(2.0, 1.0))],
    },
    "unpaired": {
        "text": [record("unpaired", completion="this", label=label, split="test") for label in (True, False)],
        "chat": [record("unpaired", prompt=LONG, completion=answer("this"), label=True)],
    },
    "stepwise": {
        "text": [record("stepwise", steps=("one", "two"), step_labels=(True, False))],
        "chat": [record("stepwise", prompt=LONG, steps=("one",), step_labels=(True,))],
    },
    "ratings": {
        "text": [record("ratings", completions=("a", "b", "c"), scores=(1.0, 2.5, 2.5), rater="x")],
        "chat": [record("ratings", prompt=LONG, completions=(answer("a"), answer("b")), scores=(1.0, 0.0))],
    },
    "scored_text": {"text": [promptless("scored_text", text="a b", texts=("a", " b"), scores=(0.0, 0.25), source="w")]},
    "prompt_target": {
        "text": [record("prompt_target", targets=("4",), choices=("3", "4"))],
        "chat": [record("prompt_target", prompt=LONG, targets=("4", "four"))],
    },
}  # fmt: skip
LISTS = ("stepwise", "ratings", "scored_text", "prompt_target")
OTHERS = [
    ("alpaca", "prompt_completion", "text"), ("alpaca", "prompt_completion", "chat"), ("alpaca", "preference", "text"),
    ("alpaca", "preference", "chat"), ("alpaca", "unpaired", "text"), ("alpaca", "unpaired", "chat"),
    ("alpaca", "text", "text"), ("sharegpt", "messages", "chat"), ("sharegpt", "preference", "chat"),
    ("sharegpt", "unpaired", "chat"), ("openrlhf", "prompt_completion", "text"), ("openrlhf", "preference", "text"),
    ("openrlhf", "prompt_completion", "chat"), ("openrlhf", "preference", "chat"), ("openrlhf", "prompt_only", "chat"),
    ("implicit_preference", "preference", "chat"),
]  # fmt: skip
OURS = [(kind, kind, form) for kind in KINDS for form in SAMPLES[kind]]


def returned(tmp_path, name, to, records):
    """The records after one trip through a file, on line 0."""
    write_rows(tmp_path / name, as_rows(records, to).rows)
    return [replace(one, line=0, columns=dict(one.columns)) for one in load(tmp_path / name).records]


@pytest.mark.parametrize("name", JSONS + TABLES)
@pytest.mark.parametrize("to, kind, form", OURS + OTHERS)
def test_what_is_written_reads_back_the_same(tmp_path, name, to, kind, form):
    assert returned(tmp_path, name, to, SAMPLES[kind][form]) == SAMPLES[kind][form]


PLAIN = [(to, kind, form) for to, kind, form in OURS + OTHERS if form == "text" and kind not in LISTS]


@pytest.mark.parametrize("name", CSVS)
@pytest.mark.parametrize("to, kind, form", PLAIN)
def test_csv_holds_the_plain_kinds(tmp_path, name, to, kind, form):
    # a cell of a column that a row lacks is empty text, so each record goes alone
    for one in SAMPLES[kind][form]:
        assert returned(tmp_path, name, to, [one]) == [one]


@pytest.mark.parametrize("to, kind, form", [one for one in OURS + OTHERS if one not in PLAIN])
def test_csv_refuses_lists(tmp_path, to, kind, form):
    targets = kind == "prompt_target" and form == "text"
    sample = SAMPLES[kind][form]
    with pytest.raises(Unwritable, match="CSV holds plain text alone"):
        returned(tmp_path, "rows.csv", to, sample)
    assert not targets or sample[0].choices  # it is the list of choices that CSV cannot hold
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("name", JSONS + TABLES + CSVS)
def test_alpaca_eval_keeps_which_side_won(tmp_path, name):
    first = record("preference", prompt="a", chosen="this", rejected="that", chosen_was=1, verdict=1.0)
    second = replace(first, prompt="b", chosen_was=2, verdict=1.75)
    assert returned(tmp_path, name, "alpaca_eval", [first, second]) == [first, second]


def test_alpaca_eval_puts_sides_that_nobody_showed_in_an_order_that_says_nothing(tmp_path):
    pairs = [record("preference", prompt=f"{at}", chosen="this", rejected="that") for at in range(200)]
    read = returned(tmp_path, "rows.jsonl", "alpaca_eval", pairs)
    assert [replace(one, chosen_was=None, verdict=None) for one in read] == pairs
    seconds = sum(one.chosen_was == 2 for one in read)
    assert 70 < seconds < 130  # 200 fair coins: 100 with a standard deviation of sqrt(50) = 7.1


@pytest.mark.parametrize("name", JSONS + TABLES)
def test_verl_reads_back_as_prompts_with_a_target_and_a_source(tmp_path, name):
    asked = record("prompt_only", prompt=LONG, source="gsm8k", split="test", targets=("4",),
                   columns={"target": "4", "ability": "math"})  # fmt: skip
    assert returned(tmp_path, name, "verl", [asked]) == [asked]
    target = record("prompt_target", prompt=LONG, targets=("4",))
    (read,) = returned(tmp_path, name + "2" if name == "folder" else name, "verl", [target])
    assert (read.kind, read.columns, read.source) == ("prompt_only", {"target": "4"}, "operant")


def test_implicit_text_joins_to_the_same_two_texts(tmp_path):
    pair = record("preference", prompt="The sky is", chosen=" blue.", rejected=" green.")
    assert returned(tmp_path, "rows.jsonl", "implicit_preference", [pair]) == [pair]


def test_a_column_that_would_change_the_layout_is_left_out_and_said(tmp_path):
    one = record("prompt_completion", completion="this", columns={"label": True, "topic": "x"})
    rows = as_rows([one], "prompt_completion")
    assert rows.left_out == ("label",) and rows.rows[0]["topic"] == "x"
    assert as_rows([replace(one, columns={"input": "other"})], "alpaca").left_out == ("input",)


# Containers


@pytest.mark.parametrize("name", ["folder", "rows.parquet", "rows.jsonl"])
def test_others_read_what_we_write(tmp_path, name):
    write_rows(tmp_path / name, as_rows(SAMPLES["preference"]["chat"], "preference").rows)
    if name == "folder":
        rows = datasets.load_from_disk(tmp_path / name).to_list()
    elif name == "rows.parquet":
        rows = pq.read_table(tmp_path / name).to_pylist()
    else:
        rows = [json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").split("\n")[:-1]]
    assert [row["prompt"] for row in rows] == [list(LONG)] and rows[0]["score_chosen"] == 2.0


def test_the_same_rows_give_the_same_bytes(tmp_path):
    rows = as_rows(SAMPLES["ratings"]["text"], "ratings").rows
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_rows(tmp_path / name, rows)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).endswith(b"\n")


def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with pytest.raises(Unwritable):
        write_rows(path, [{"prompt": "a"}, {"prompt": ["b"]}])
    assert path.read_text() == "old" and [one.name for one in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("name", TABLES)
def test_a_column_of_several_types_fits_no_table(tmp_path, name):
    with pytest.raises(Unwritable, match="column 'rank' holds values of several types.*jsonl"):
        write_rows(tmp_path / name, [{"prompt": "a", "rank": 1}, {"prompt": "b", "rank": "first"}])
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_csv_readers_refuse_is_not_written(tmp_path):
    write_rows(tmp_path / "rows.csv", [{"prompt": "x" * CSV_FIELD}])
    assert check(tmp_path / "rows.csv").kept == 1
    with pytest.raises(Unwritable, match="write .jsonl"):
        write_rows(tmp_path / "rows.csv", [{"prompt": "x" * (CSV_FIELD + 1)}])


@pytest.mark.parametrize("name", ["rows.txt", "rows.parquet.gz", "rows.xlsx", "rows.gz"])
def test_a_name_that_says_no_container_is_refused(tmp_path, name):
    with pytest.raises(Unwritable, match="cannot tell"):
        write_rows(tmp_path / name, [])


# From file to file


@pytest.mark.parametrize(
    "to, written",
    # c over b, d over b, and c against d is a tie: two pairs, so four single answers, of which two are good
    [("preference", 2), ("implicit_preference", 2), ("alpaca", 2), ("sharegpt", 2), ("alpaca_eval", 2),
     ("openrlhf", 2), ("unpaired", 4), ("prompt_completion", 2), ("messages", 2), ("ratings", 1), ("prompt_only", 1),
     ("verl", 1)],
)  # fmt: skip
def test_every_layout_that_ratings_can_become(write, tmp_path, to, written):
    loaded = load(write([{"prompt": "Which?", "completions": [" b", " c", " d"], "scores": [1, 3, 3]}]))
    assert rewrite(loaded, tmp_path / "out.jsonl", to=to).written == written
    assert check(tmp_path / "out.jsonl").kept == written


def test_every_layout_has_a_name_that_some_kind_can_reach():
    assert {kind for target in TARGETS.values() for kind in target.kinds} == set(KINDS)


def test_a_prompt_that_no_reader_could_tell_is_not_left_implicit(write, tmp_path):
    rows = [{"prompt": "Which?", "chosen": side, "rejected": " not that"} for side in (" yes", " not this")]
    done = rewrite(load(write(rows)), tmp_path / "out.jsonl", to="implicit_preference")
    # "Which? not this" and "Which? not that" share one word more than the prompt
    assert (done.written, done.dropped) == (1, {"a prompt that cannot be told from its answers": 1})


def test_a_form_can_be_asked_for(write, tmp_path):
    loaded = load(write([{"messages": list(turns("Which?", "this"))}]))
    rewrite(loaded, tmp_path / "a.csv", to="prompt_completion", form="text")
    assert load(tmp_path / "a.csv").records[0].completion == "this"
    rewrite(load(tmp_path / "a.csv"), tmp_path / "b.jsonl", to="prompt_completion", form="chat")
    assert load(tmp_path / "b.jsonl").records[0].completion == answer("this")


def test_what_a_layout_cannot_hold_is_counted(write, tmp_path):
    rows = [{"prompt": list(turns("a", "b")), "completion": "c"}, {"prompt": list(turns("a")), "completion": "c"}]
    done = rewrite(load(write(rows)), tmp_path / "out.jsonl", to="alpaca")
    assert (done.written, done.dropped) == (1, {"turns that alpaca cannot hold": 1})


def test_where_nothing_is_left_nothing_is_written(write, tmp_path):
    loaded = load(write([{"prompt": "a", "completions": ["b", "c"], "scores": [1, 1]}]))
    with pytest.raises(OperantError, match="no row is left to write as preference: 1 tie"):
        rewrite(loaded, tmp_path / "out.jsonl", to="preference")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_folder_never_replaces_a_file_nor_the_reverse(write, tmp_path):
    loaded = load(write([{"text": "a"}]))
    (tmp_path / "out").write_text("mine")
    (tmp_path / "out.jsonl").mkdir()
    for name in ("out", "out.jsonl"):
        with pytest.raises(OperantError, match="remove it first"):
            rewrite(loaded, tmp_path / name, to="text", force=True)
