"""What a method says of itself. Cards are literals, so the catalogue reads them from source without importing torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from operant.errors import UnknownName
from operant.schema import Direction, Load, Run

Kind = Literal["method", "model", "dataset", "benchmark", "study", "survey", "theory"]


@dataclass(frozen=True)
class Claim:
    """`metric` on `task` moves in `direction` against the row `against`, by at least `smallest`."""

    task: str
    metric: str
    direction: Direction
    against: str  # a row name: slug[:key=value,...]
    smallest: float
    row: str = ""  # the row that is claimed about, where it is not the method at its default settings


@dataclass(frozen=True, kw_only=True)
class Card:
    slug: str
    family: str
    kind: Kind
    paper: str  # an arXiv id, a DOI, or "" for a control
    title: str
    claims: tuple[Claim, ...] = ()
    baselines: tuple[str, ...] = ()  # row names to stand beside
    needs: tuple[str, ...] = ()  # slugs whose products it reads
    task: str = "reviews"
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # tuning grid; the default setting comes first
    tiny: Mapping[str, Any] = field(default_factory=dict)  # settings calibrated on embedded tasks
    differs: tuple[str, ...] = ()  # what differs from the paper


@dataclass(frozen=True)
class Method:
    """One way to condition a model: settings, what it does, how its product is loaded again, and its card."""

    config: type
    run: Run
    load: Load
    card: Card


def read_card(path: Path) -> Card:
    """The card in a method's source, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Card"]
    assert len(calls) == 1, f"{path}: expected one Card(...), found {len(calls)}"
    return _literal(calls[0])


def _literal(node: ast.expr) -> Any:
    """`ast.literal_eval`, which also knows Card(...) and Claim(...)."""
    known = {"Card": Card, "Claim": Claim}
    if isinstance(node, ast.Call):
        make = known[getattr(node.func, "id", "")]
        named = {str(word.arg): _literal(word.value) for word in node.keywords}
        return make(*map(_literal, node.args), **named)
    if isinstance(node, ast.Tuple):
        return tuple(map(_literal, node.elts))
    return ast.literal_eval(node)


def parse_row(text: str) -> tuple[str, dict[str, Any]]:
    """A row name `slug[:key=value,...]` as slug and settings; values are Python literals, else text."""
    slug, _, rest = text.partition(":")
    settings: dict[str, Any] = {}
    for item in filter(None, re.split(r",(?![^()]*\))", rest)):  # a comma inside parentheses is a tuple's
        key, equals, value = item.partition("=")
        if not equals:
            raise UnknownName("setting", item, (), see=f"write {slug}:key=value, got {text!r}")
        try:
            settings[key.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key.strip()] = value
    return slug, settings
