"""Which paper: one file a method, and the folder is the registry. Nothing is imported until it is loaded."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from operant.card import Card, Method, read_card
from operant.errors import UnknownName

HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def sources() -> MappingProxyType[str, Path]:
    """Slug to source file, from file names alone."""
    files = [path for path in HERE.glob("*/*.py") if path.stem != "__init__"]
    files += HERE.glob("*/*/__init__.py")
    named = {(path.parent.name if path.stem == "__init__" else path.stem).replace("_", "-"): path for path in files}
    return MappingProxyType(dict(sorted(named.items())))


def slugs() -> list[str]:
    return list(sources())


def card(slug: str) -> Card:
    """The card of one method, read from source."""
    if slug not in sources():
        raise UnknownName("method", slug, slugs())
    return read_card(sources()[slug])


def load(slug: str) -> Method:
    """Import one method."""
    if slug not in sources():
        raise UnknownName("method", slug, slugs())
    path = sources()[slug]
    parts = path.parent if path.stem == "__init__" else path.with_suffix("")
    module = import_module(".".join(("operant", "methods", *parts.relative_to(HERE).parts)))
    return module.METHOD
