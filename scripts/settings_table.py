"""The settings of a method as a table, read from the fields of its Config in the source."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

from operant.card import Card

ROOT = Path(__file__).parents[1]


def settings(about: Card, source: Path) -> str:
    """The fields of Config with their defaults and comments, read from source."""
    text = source.read_text("utf-8")
    lines = ["| Setting | Default | On small models | Tuned over | Meaning |", "| --- | --- | --- | --- | --- |"]
    rows = {**inherited(text, about), **own_settings(text, about)}
    return "\n".join([*lines, *rows.values()]) if rows else "There is nothing to set."


def inherited(text: str, about: Card, name: str = "Config") -> dict[str, str]:
    """Settings that a class has from those it extends, in this file or wherever they are imported from."""
    found: dict[str, str] = {}
    for base in map(ast.unparse, config_class(text, name).bases):
        where = text if defines(text, base) else imported_from(text, base)
        found |= {**inherited(where, about, base), **own_settings(where, about, base)}
    return found


def imported_from(text: str, name: str) -> str:
    """The source that a name comes from."""
    module = next(node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)
                  and node.module and name in [one.name for one in node.names])  # fmt: skip
    return (ROOT / "src" / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")


def defines(text: str, name: str) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == name for node in ast.parse(text).body)


def config_class(text: str, name: str = "Config") -> ast.ClassDef:
    return next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == name)


def own_settings(text: str, about: Card, name: str = "Config") -> dict[str, str]:
    """A table line for every field of one class."""
    notes = {token.start[0]: token.string.lstrip("# ") for token in tokenize.generate_tokens(io.StringIO(text).readline)
             if token.type == tokenize.COMMENT}  # fmt: skip
    rows = {}
    for field in config_class(text, name).body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name, default = field.target.id, ast.unparse(field.value) if field.value else "required"
            small = f"`{about.tiny[name]!r}`" if name in about.tiny else ""
            grid = ", ".join(map(str, about.search.get(name, ())))
            meaning = "; ".join(filter(None, [notes.get(field.end_lineno or 0, ""), choices(field, text)]))
            rows[name] = f"| `{name}` | `{default}` | {small} | {grid} | {meaning} |"
    return rows


def choices(field: ast.AnnAssign, text: str) -> str:
    """The words that a setting may be, where they are named in its type or in a name that stands for it."""
    named = {node.targets[0].id: node.value for node in ast.parse(text).body
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    kind = field.annotation
    kind = named.get(kind.id, kind) if isinstance(kind, ast.Name) else kind
    if not (isinstance(kind, ast.Subscript) and getattr(kind.value, "id", "") == "Literal"):
        return ""
    words = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
    return "one of " + ", ".join(f"`{ast.literal_eval(word)}`" for word in words)
