"""Files are whole or absent, whatever moment the process dies at; locks hold between processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from operant.disk import (
    answer_seed,
    content_hash,
    copy_file,
    locked,
    only_process,
    read_json,
    whole_directory,
    write_json,
    write_text,
)
from operant.errors import OperantError


def run(code: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", f"import os, sys\nfrom pathlib import Path\nfrom operant.disk import *\n{code}"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_a_file_is_replaced_at_once(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "one \u00e9\U0001f642")
    write_text(path, "two")
    assert path.read_text(encoding="utf-8") == "two"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_litter(step, tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new" * 1000)
    assert path.read_text() == "old" and [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = "os.fsync = lambda _: os._exit(9)\nwrite_text(Path(sys.argv[1]), 'new' * 1000)"
    assert run(code, path).returncode == 9
    assert path.read_text() == "old"


def test_json_refuses_what_is_not_json(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, None], "a": "\u00e9\u2028"})
    assert read_json(path) == {"a": "\u00e9\u2028", "b": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path)["b"] == [1, None]


def test_a_directory_appears_whole(tmp_path):
    path = tmp_path / "out"
    with whole_directory(path) as partial:
        (partial / "one").write_text("1")
        assert not path.exists()
    with whole_directory(path) as partial:
        (partial / "two").write_text("2")
        assert [one.name for one in path.iterdir()] == ["one"]
    assert [one.name for one in path.iterdir()] == ["two"]  # replaced, not merged
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_a_directory_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "out"
    with whole_directory(path) as partial:
        (partial / "one").write_text("1")
    with pytest.raises(ZeroDivisionError), whole_directory(path) as partial:
        (partial / "two").write_text("2")
        raise ZeroDivisionError
    assert [one.name for one in path.iterdir()] == ["one"]
    with whole_directory(path) as partial:  # what the failure left behind is not in the next one
        assert not list(partial.iterdir())


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_process_killed_between_renames_loses_nothing(renames, tmp_path):
    # The old directory steps aside, the new one takes its place. Dead before either, between them, or after both.
    path = tmp_path / "out"
    with whole_directory(path) as partial:
        (partial / "old").write_text("1")
    code = """
done, real = 0, os.replace
def replace(*names):
    global done
    if done == int(sys.argv[2]): os._exit(9)
    done += 1
    real(*names)
def rmtree(*_, **__):
    if done: os._exit(9)
os.replace, shutil.rmtree = replace, rmtree
with whole_directory(Path(sys.argv[1])) as partial:
    (partial / "new").write_text("2")
"""
    assert run(code, path, renames).returncode == 9
    if renames != 1:
        assert [one.name for one in path.iterdir()] == [{0: "old", 2: "new"}[renames]]
    with pytest.raises(ZeroDivisionError), whole_directory(path):
        raise ZeroDivisionError  # whoever comes next finds a whole directory, even without finishing another
    assert [one.name for one in path.iterdir()] == [{0: "old", 1: "old", 2: "new"}[renames]]


def test_copies_replace_and_may_be_onto_themselves(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2" * 100)
    copy_file(one, two)
    copy_file(one, one)
    assert one.read_bytes() == two.read_bytes() == b"1"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_lock_keeps_another_process_out(tmp_path):
    path = tmp_path / "new" / "lock"
    code = "with only_process(Path(sys.argv[1]), what='the run'): print('in')"
    with only_process(path, what="the run"):
        other = run(code, path)
        assert other.returncode == 1 and "the run is in use by another process; wait for it, or" in other.stderr
        with pytest.raises(OperantError, match="the run is in use"), only_process(path, what="the run"):
            pass
    assert run(code, path).stdout == "in\n"
    # dead without letting go: the operating system lets go for it
    assert run("with only_process(Path(sys.argv[1]), what='x'): os._exit(9)", path).returncode == 9
    assert run(code, path).stdout == "in\n"


def test_a_waiting_lock_lets_one_in_at_a_time(tmp_path):
    # Each of three processes reads a number, waits, and writes it back with 1 added: without a lock some are lost.
    code = """
import time
for _ in range(5):
    with locked(Path(sys.argv[1]) / 'lock'):
        path = Path(sys.argv[1]) / 'count'
        count = int(path.read_text())
        time.sleep(0.005)
        path.write_text(str(count + 1))
"""
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", f"import sys\nfrom pathlib import Path\nfrom operant.disk import *\n{code}"]
    others = [subprocess.Popen([*command, str(tmp_path)]) for _ in range(3)]
    assert [other.wait(30) for other in others] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "15"
    with locked(tmp_path / "lock"):
        pass


def test_a_hash_is_of_the_content():
    assert content_hash({"a": 1, "b": [2, {"c": 3, "d": 4}]}) == content_hash({"b": [2, {"d": 4, "c": 3}], "a": 1})
    different = [{"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, {"a": 1.5}, [1, 2], [2, 1], [[1], 2], None, "", "\ud800"]
    assert len({content_hash(value) for value in different}) == len(different)
    assert content_hash(Path("a/b")) == content_hash("a/b") and len(content_hash("x", length=8)) == 8
    assert content_hash("x") == run("print(content_hash('x'))").stdout.strip()


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"])
def test_what_has_no_lasting_text_has_no_hash(value):
    # str(object()) is an address and the order of a set changes from process to process
    with pytest.raises(TypeError, match=f"cannot hash a {type(value).__name__}"):
        content_hash({"value": value})


def test_a_seed_hangs_on_every_part():
    names = [(0, "p", 1), (1, "p", 1), (0, "q", 1), (0, "p", 2), (0, "p"), (0, "p1"), (0, "p", "1")]
    seeds = [answer_seed(*name) for name in names]
    assert len(set(seeds)) == len(names) and all(0 <= seed < 2**63 for seed in seeds)
    assert answer_seed(0, "p", 1) == seeds[0] == int(run("print(answer_seed(0, 'p', 1))").stdout)
