"""The architecture: LAYERS is the one statement of the layout, and every import points down in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import pytest

import operant

SRC = Path(operant.__file__).parent
PROJECT = SRC.parents[1]

# From the top. A room imports itself and rooms of lower lines, never one of its own line.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("serve",),
    ("compare",),
    ("methods/*",),  # each method is a room of its own; the same holds for domains
    ("loops",),
    ("prompting", "conditioning", "rewards", "objectives", "decoding", "probes", "training", "domains/*"),
    ("engine",),
    ("models", "data", "methods"),  # `methods` itself is the catalogue: file names and cards, no method
    ("evidence",),
    ("meter", "stats", "ops", "card", "disk", "sandbox"),
    ("schema",),
    ("errors",),
)
LEVEL = {room: -height for height, rooms in enumerate(LAYERS) for room in rooms}
# Rooms of helpers that say nothing about what is in them.
NAMELESS = {"utils", "util", "common", "helpers", "helper", "misc"}
# Names that load nothing heavy: the catalogue, the records and the data room are read without torch.
LIGHT = ("schema", "card", "errors", "disk", "meter", "evidence", "methods", "data", "data.check", "data.load")


class Import(NamedTuple):
    path: str
    line: int
    room: str
    other: str


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module: its first name; below `domains` and `methods`, the domain and the method."""
    if parts[0] == "domains" and len(parts) > 1:
        return "/".join(parts[:2])
    if parts[0] == "methods" and len(parts) > 1:
        return "/".join(parts[:3])
    return parts[0]


def module_parts(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(SRC).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def level_of(room: str) -> int:
    """KeyError for a room that LAYERS does not know."""
    return LEVEL[room] if room in LEVEL else LEVEL[f"{room.split('/')[0]}/*"]


@cache
def files() -> tuple[Path, ...]:
    return tuple(sorted(SRC.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def names(path: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, `from a import b` as a.b; relative ones made whole."""
    found: list[tuple[int, str]] = []
    package = ("operant", *path.relative_to(SRC).parts[:-1])
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            prefix = ".".join((*start, *filter(None, [node.module])))
            found += [(node.lineno, f"{prefix}.{alias.name}") for alias in node.names]
    return found


def imports() -> list[Import]:
    """Every import of one part of operant by another."""
    found = []
    for path in files():
        parts = module_parts(path)
        for line, name in names(path):
            inner = real(tuple(name.split(".")[1:])) if name.startswith("operant.") else ()
            if parts and inner:
                found.append(Import(str(path.relative_to(SRC)), line, room_of(parts), room_of(inner)))
    return found


def real(inner: tuple[str, ...]) -> tuple[str, ...]:
    """The part of a dotted name that is a module; the rest names something inside it."""
    while inner and not (SRC.joinpath(*inner).is_dir() or SRC.joinpath(*inner).with_suffix(".py").is_file()):
        inner = inner[:-1]
    return inner


def test_every_room_has_its_place():
    rooms = {path.name if path.is_dir() else path.stem for path in SRC.iterdir() if path.name[0] not in "_."}
    known = {room.split("/")[0] for rooms in LAYERS for room in rooms}
    data = {path.name for path in SRC.iterdir() if path.is_dir() and not any(path.rglob("*.py"))} | {"py"}
    assert rooms - known - data == set()
    assert len([room for rooms in LAYERS for room in rooms]) == len(set(LEVEL))


def test_imports_point_down():
    found = imports()
    assert len(found) > 100  # the reading works
    wrong = [
        f"{one.path}:{one.line}: {one.room} may not import {one.other}"
        for one in found
        if one.room != one.other and not level_of(one.other) < level_of(one.room)
    ]
    assert wrong == []


def test_the_reading_of_imports_tells_rooms_apart():
    assert room_of(("domains", "text", "tasks", "reviews")) == "domains/text"
    assert room_of(("methods", "reference", "dpo")) == "methods/reference/dpo"
    assert room_of(("methods",)) == "methods"
    assert real(("methods", "card")) == ("methods",)
    assert level_of("methods/reference/dpo") > level_of("training") > level_of("methods") > level_of("schema")
    assert level_of("data") < level_of("training") == level_of("domains/text")


def test_transformers_is_imported_in_models_and_engine_alone():
    users = {
        module_parts(path)[0]
        for path in files()
        for _, name in names(path)
        if name.split(".")[0] in ("transformers", "peft", "accelerate")
    }
    assert users <= {"models", "engine"}
    assert "models" in users


@pytest.mark.parametrize("module", LIGHT)
def test_what_is_read_before_anything_runs_costs_no_torch(module):
    use = "operant.methods.card('dpo')" if module == "methods" else "None"
    code = f"import sys, operant, operant.{module}; {use}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or f"operant.{module} imports torch"


def test_no_file_is_long_and_none_is_nameless():
    long = [str(path) for path in files() if len(path.read_text(encoding="utf-8").splitlines()) > 300]
    nameless = [str(path) for path in files() if NAMELESS & set(module_parts(path))]
    assert (long, nameless) == ([], [])


class Function(NamedTuple):
    where: str
    lines: int  # without the docstring


def functions() -> list[Function]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        Function(f"{path.relative_to(SRC)}:{node.lineno} {node.name}", code_lines(node))
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, kinds)
    ]


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    total = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        assert first.end_lineno is not None
        total -= first.end_lineno - first.lineno + 1
    return total


def test_functions_are_short():
    found = functions()
    assert [one for one in found if one.lines > 40] == []
    assert quantiles([one.lines for one in found], n=10)[-1] < 25


def test_the_docstring_is_not_counted():
    node = ast.parse('def f(x):\n    """One.\n\n    Two.\n    """\n    return x\n').body[0]
    assert isinstance(node, ast.FunctionDef)
    assert code_lines(node) == 2


def test_pinned_versions_carry_no_local_suffix():
    # torch==2.13.0+cpu cannot be installed from the public index.
    path = PROJECT / "constraints.txt"
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if "+" in line.split("#")[0]] == []
