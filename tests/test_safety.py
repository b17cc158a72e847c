"""What must never stand in the library: doors through which data becomes code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import operant

SRC = Path(operant.__file__).parent

CALLS = {"eval", "exec", "compile", "__import__", "sympify", "parse_expr"}
# (owner, name): what is called on a module or an object of that name; "" is any owner.
METHODS = {
    ("torch", "load"), ("pickle", "load"), ("pickle", "loads"), ("yaml", "load"), ("yaml", "unsafe_load"),
    ("marshal", "loads"), ("os", "system"), ("", "save_state"), ("accelerator", "save_state"),
    ("accelerator", "load_state"), ("sympy", "sympify"),
}  # fmt: skip
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
TRUE_BY_NAME = {"trust_remote_code", "allow_pickle", "shell"}


def doors(source: str) -> list[str]:
    """What a file does that it must not, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found += [f"{node.lineno}: {name}" for name in _called(node)]
            found += [
                f"{node.lineno}: {word.arg}"
                for word in node.keywords
                if word.arg in TRUE_BY_NAME and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            ]
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: {a.name}" for a in node.names if a.name.split(".")[0] in MODULES]
        if isinstance(node, ast.ImportFrom):
            top = (node.module or "").split(".")[0]
            found += [f"{node.lineno}: {top}"] if top in MODULES else []
            named = {(top, alias.name) for alias in node.names}
            found += [f"{node.lineno}: {owner}.{name}" for owner, name in sorted(named & METHODS)]
    return found


def _called(node: ast.Call) -> list[str]:
    if isinstance(node.func, ast.Name):
        return [node.func.id] if node.func.id in CALLS else []
    if not isinstance(node.func, ast.Attribute):
        return []
    owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    name = node.func.attr
    banned = (owner, name) in METHODS or name in CALLS - {"compile", "eval"}
    return [f"{owner}.{name}"] if banned else []


def test_no_string_becomes_code():
    found = {str(path.relative_to(SRC)): doors(path.read_text(encoding="utf-8")) for path in SRC.rglob("*.py")}
    assert len(found) > 50
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')", "exec(text)", "import pickle", "from pickle import loads", "torch.load(path)",
        "from torch import load", "sympy.sympify(text)", "sympify(text)", "parse_expr(text)", "yaml.load(file)",
        "load(path, trust_remote_code=True)", "load(path, trust_remote_code=flag)", "np.load(f, allow_pickle=True)",
        "accelerator.save_state(path)", "self.accelerator.save_state(path)",
        "os.system(line)", "subprocess.run(line, shell=True)",
    ],
)  # fmt: skip
def test_the_search_finds_each_door(source):
    assert doors(source) != []


def importers(module: str) -> set[str]:
    """Files that import a module, wherever in the file."""
    found = set()
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == module for name in names):
                found.add(str(path.relative_to(SRC)))
    return found


def test_parsers_that_evaluate_are_reached_through_the_sandbox_alone():
    assert importers("math_verify") == {"domains/text/maths/symbolic.py"}
    assert importers("latex2sympy2_extended") == set()
    # these build expressions from checked tokens; sympy's own parsers are among the doors that nothing may open
    assert importers("sympy") == {"domains/symbolic/exact.py", "domains/symbolic/sums.py"}


def test_the_sandbox_alone_starts_other_programs():
    assert importers("subprocess") == {"sandbox/child.py"}


def test_math_verify_never_runs_in_this_process():
    code = (
        "import sys; from operant.domains.text.maths import Equality;"
        "same = Equality(symbolic='if installed')('x + 1', '1 + x').same; sys.exit('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("source", ["module.eval()", "re.compile('a')", "yaml.safe_load(file)", "load(path)"])
def test_the_search_leaves_plain_code_alone(source):
    assert doors(source) == []
