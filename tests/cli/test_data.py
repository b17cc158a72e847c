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
