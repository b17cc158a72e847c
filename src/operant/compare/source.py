"""Which code made a method's evidence: a hash of what runs, which comments and docstrings do not change."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

from operant.disk import content_hash
from operant.methods import card, sources

ROOT = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_hash(slug: str) -> str:
    """Of the operant modules that the method imports, transitively, and its needs'."""
    wanted = [sources()[name] for name in (slug, *card(slug).needs)]
    seen: set[Path] = set()
    while wanted:
        path = wanted.pop()
        if path not in seen:
            seen.add(path)
            wanted += imported(path)
    return content_hash([statements(path.read_text(encoding="utf-8")) for path in sorted(seen)])


def statements(text: str) -> list[str]:
    """The lines of a module, without docstrings, comments and what is then empty."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first, last = node.body[0].lineno, node.body[0].end_lineno
            lines[first - 1 : last] = [""] * len(lines[first - 1 : last])
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return [line.rstrip() for line in lines if line.strip()]


@cache
def imported(path: Path) -> tuple[Path, ...]:
    """Files of this package that a file imports by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names += [f"{node.module}.{alias.name}" for node in ast.walk(tree)
              if isinstance(node, ast.ImportFrom) and node.module for alias in node.names]  # fmt: skip
    found = []
    for name in names:
        if name.startswith("operant."):
            part = ROOT.joinpath(*name.split(".")[1:])
            found += [one for one in (part.with_suffix(".py"), part / "__init__.py") if one.is_file()]
    return tuple(found)
