"""The doors: fast to open, clear about what they were given."""

import json
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from operant.cli import main
from operant.cli.app import app
from operant.cli.compare import with_base
from operant.cli.settings import read_settings
from operant.compare.options import Options
from operant.errors import OperantError

LIGHT = """
import sys
from operant.cli import main
sys.argv = ["operant", *{args}]
try:
    main()
except SystemExit:
    pass
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("args, limit", [(["--help"], 0.3), (["methods"], 0.5), (["methods", "show", "dpo"], 0.5)])
def test_light_commands_load_no_torch_and_are_fast(args, limit):
    took = []
    for _ in range(3):
        started = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", LIGHT.format(args=args)], capture_output=True, text=True)
        took.append(time.perf_counter() - started)
        assert ended.returncode == 0, ended.stderr
    assert min(took) < 2 * limit  # the goal on an idle core is `limit`; tests share theirs


def test_methods_as_json_are_what_the_files_say():
    rows = json.loads(CliRunner().invoke(app, ["methods", "--json"]).stdout)
    assert {"slug", "family", "kind", "evidence"} == set(rows[0])
    assert {"base", "dpo", "transform-combine-rewards"} <= {row["slug"] for row in rows}


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "operant", *args], capture_output=True, text=True)


@pytest.mark.parametrize(
    "args, told",
    [
        (["compare", "--task", "review"], "did you mean 'reviews'"),
        (["compare"], "--model together with --data"),
        (["compare", "--task", "reviews", "--methods", "dbo"], "did you mean 'dpo'"),
        (["compare", "--task", "reviews", "--method", "dpo:bta=1"], "did you mean 'beta'"),
        (["compare", "--task", "reviews", "--method", "dpo:beta=-1"], "beta is -1"),
        (["compare", "--task", "reviews", "--seeds", "0"], "seeds is 0"),
        (["compare", "--model", "/nowhere/at/all", "--data", "/nowhere/x.jsonl"], "/nowhere/x.jsonl"),
        (["methods", "show", "dp"], "did you mean 'dpo'"),
        (["report", "/nowhere"], "report.json"),
        (["answer", "hi"], "--run"),
    ],
)
def test_bad_input_ends_with_status_2_and_the_way_out(args, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["operant", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said and "Traceback" not in said


def test_the_command_ends_as_main_does():
    ended = run("compare", "--task", "review")
    assert (ended.returncode, "did you mean 'reviews'" in ended.stderr) == (2, True)


def test_unknown_key_in_yaml_names_file_key_and_nearest(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("task: reviews\nseed: 3\n")
    with pytest.raises(OperantError, match=r"run\.yaml.*'seed'.*'seeds'"):
        read_settings({}, path)


def test_flags_are_stronger_than_the_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("task: reviews\nseeds: 3\nmethods: [base, dpo]\nmax-tokens: 12\n")
    settings = read_settings({"seeds": 2, "task": None}, path)
    options = Options.from_json(settings)
    assert (options.seeds, options.max_tokens, options.methods) == (2, 12, ("base", "dpo"))


def test_wrong_kind_in_yaml_is_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("task: reviews\nseeds: three\n")
    with pytest.raises(OperantError, match="seeds is 'three'"):
        read_settings({}, path)


def test_an_error_cannot_write_to_the_terminal():
    ended = run("compare", "--task", "re\x1b[31mviews")
    assert ended.returncode == 2 and "\x1b" not in ended.stderr


@pytest.mark.parametrize("given, rows", [(["dpo"], ["base", "dpo"]), (("dpo", "base"), ["dpo", "base"])])
def test_base_is_a_row_of_every_comparison(given, rows):
    assert with_base(given) == rows
