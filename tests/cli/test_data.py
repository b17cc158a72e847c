"""`operant data check` as a user meets it."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from operant.cli.data import app, printable

GOOD = {"prompt": "Which?", "chosen": "this", "rejected": "that"}


@pytest.fixture
def run(tmp_path):
    """run(rows or None, *options) -> the result of `check FILE *options`."""

    def _run(rows, *options):
        path = tmp_path / "rows.jsonl"
        if rows is not None:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return CliRunner().invoke(app, ["check", str(path), *options])

    return _run


def test_status_0_when_every_row_can_be_used(run):
    result = run([GOOD, GOOD])  # a duplicate is a notice
    assert result.exit_code == 0
    assert "kept      2" in result.stdout and "line 2 duplicate" in result.stdout


def test_status_1_when_some_cannot(run):
    result = run([GOOD, {**GOOD, "chosen": ""}])
    assert result.exit_code == 1
    assert "unusable  1" in result.stdout and "line 2 [chosen] empty_answer" in result.stdout


@pytest.mark.parametrize(
    "rows, options, said",
    [
        (None, (), "does not exist"),
        ([{"question": "a"}], (), "fits no layout"),
        ([GOOD], ("--columns", "promt=prompt"), "did you mean 'prompt'?"),
        ([GOOD], ("--tokenizer", "nowhere"), "holds no tokenizer.json"),
        ([GOOD], ("--max-length", "0"), "at least 1"),
    ],
)
def test_status_2_and_one_message_when_nothing_can_be_read(run, rows, options, said):
    result = run(rows, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and "Traceback" not in result.stderr


def test_json(run):
    result = run([{"q": "a", "r": "b"}], "--columns", "prompt=q,completion=r", "--max-length", "1", "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["kind"], data["cut"]["max_length"]) == (0, "prompt_completion", 1)


def test_a_files_own_words_do_nothing_to_the_terminal(run):
    hostile = "\x1b[2J[bold red]\x9b\u202e"  # clear the screen, rich markup, C1 control, right-to-left override
    result = run([{"prompt": "a", "answer_1": "b", "answer_2": "c", "verdict": verdict} for verdict in (1, hostile)])
    assert result.exit_code == 1 and "[bold red]" in result.stdout
    assert not {"\x1b", "\x9b", "\u202e"} & set(result.stdout)
    assert printable("a\x1bb\nc", keep="\n") == "a\\x1bb\nc"


def test_no_torch_is_loaded(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(GOOD) + "\n")
    command = (
        "import sys; from operant.cli.data import app\n"
        f"app(['check', {str(path)!r}], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy', 'tokenizers', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kept      1" in done.stdout


@pytest.fixture
def convert(tmp_path):
    """convert(rows, name, *options) -> the result of `convert FILE OUT *options`; OUT stands in tmp_path."""

    def _convert(rows, name, *options):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return CliRunner().invoke(app, ["convert", str(path), str(tmp_path / name), *options])

    return _convert


RATED = {"prompt": "Which?", "completions": ["a", "b", "c"], "scores": [3, 1, 1]}


def test_convert_says_what_became_of_every_row(convert, tmp_path):
    rows = [RATED, {**RATED, "scores": [None] * 3}, {**RATED, "scores": [1]}]
    result = convert(rows, "out.parquet", "--to", "preference", "--on-bad-row", "skip")
    assert result.exit_code == 1  # one row could not be used
    for line in ("rows      3", "kept      1", "unusable  1", "dropped   1 no verdict",
                 "made      ratings -> preference", "left out  1 tie", "written   2 rows of preference"):  # fmt: skip
        assert line in result.stdout
    assert "kept      2" in CliRunner().invoke(app, ["check", str(tmp_path / "out.parquet")]).stdout


def test_convert_takes_the_best_against_the_worst(convert):
    result = convert([RATED], "out.jsonl", "--to", "preference", "--pairs", "best-worst")
    assert result.exit_code == 0 and "written   1 rows" in result.stdout


def test_convert_with_columns_and_as_chat(convert, tmp_path):
    result = convert([{"q": "a", "r": "b"}], "out", "--to", "messages", "--columns", "prompt=q,completion=r")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out/state.json").is_file()
    assert "messages" in CliRunner().invoke(app, ["check", str(tmp_path / "out")]).stdout


def test_convert_names_columns_that_it_leaves_out(convert):
    result = convert([{**GOOD, "answer_1": "a", "verdict": 1, "answer_2": "b"}], "out.jsonl", "--to", "preference")
    assert "columns   prompt" not in result.stdout and result.exit_code == 0
    result = convert([{"prompt": "a", "completion": "b", "label": "x"}], "out2.jsonl", "--to", "prompt_completion")
    assert "columns   label not written" in result.stdout


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("out.jsonl", ("--to", "ratings"), "preference rows cannot become ratings rows, which ratings holds; they can"),
        ("out.jsonl", ("--to", "alpacca"), "did you mean 'alpaca'?"),
        ("out.xml", ("--to", "preference"), "cannot tell"),
        ("rows.jsonl", ("--to", "preference", "--force"), "is the file that is read"),
        ("old.jsonl", ("--to", "preference"), "replace it with --force"),
        ("out.jsonl", ("--to", "unpaired", "--pairs", "some"), "best-worst"),
        ("out.jsonl", ("--to", "unpaired", "--as", "prose"), "text, chat or none"),
        ("out.jsonl", ("--to", "unpaired", "--on-bad-row", "ignore"), "'stop' or 'skip'"),
        ("out.csv", ("--to", "messages"), "CSV holds plain text alone"),
    ],
)
def test_convert_refuses_with_one_message_and_writes_nothing(convert, tmp_path, name, options, said):
    (tmp_path / "old.jsonl").write_text("old")
    result = convert([GOOD], name, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.jsonl", "rows.jsonl"]
    assert (tmp_path / "old.jsonl").read_text() == "old"


def test_convert_replaces_with_force(convert, tmp_path):
    (tmp_path / "old.jsonl").write_text("old")
    assert convert([GOOD], "old.jsonl", "--to", "preference", "--force").exit_code == 0
    assert json.loads((tmp_path / "old.jsonl").read_text()) == GOOD


def test_a_bad_row_stops_a_conversion(convert, tmp_path):
    result = convert([GOOD, {**GOOD, "chosen": ""}], "out.jsonl", "--to", "unpaired")
    assert result.exit_code == 2 and "line 2, chosen: empty_answer" in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_convert_loads_no_torch(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(GOOD) + "\n")
    words = ["convert", str(path), str(tmp_path / "out.parquet"), "--to", "unpaired"]
    command = (
        "import sys; from operant.cli.data import app\n"
        f"app({words!r}, standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "written   2 rows" in done.stdout
