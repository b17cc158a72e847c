"""What makes evidence stale: a line that runs, and not one that is only read."""

from operant.compare.source import ROOT, imported, source_hash, statements
from operant.methods import sources

CODE = '''"""A module."""

def f(x):
    """Says
    much."""
    return "# kept" + x  # dropped
'''


def test_what_runs_is_kept_and_what_is_only_read_is_not():
    assert statements(CODE) == ["def f(x):", '    return "# kept" + x']


def test_the_hash_of_a_method_moves_with_its_code_alone(tmp_path, monkeypatch):
    code, path = sources()["dpo"].read_text(encoding="utf-8"), tmp_path / "dpo.py"
    monkeypatch.setattr("operant.compare.source.sources", lambda: {**sources(), "dpo": path})
    found = []
    for more in ("", "# read by people alone\n", "LAST = 1\n"):
        path.write_text(f"{code}\n{more}", encoding="utf-8")
        found.append(source_hash("dpo"))
    assert found[0] == found[1] != found[2]


def test_imports_are_followed_to_modules_and_packages_of_operant(tmp_path):
    path = tmp_path / "some.py"
    path.write_text("import json\nfrom operant.errors import require\nfrom operant.engine import state\n")
    names = [one.relative_to(ROOT).as_posix() for one in imported(path)]
    assert sorted(names) == ["engine/__init__.py", "engine/state.py", "errors.py"]
