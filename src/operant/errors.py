"""How we refuse: every error names the thing, what it got, what was expected and the way out."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class OperantError(Exception):
    """The user's mistake, or a limit of ours. The message is meant to be read without a traceback."""


class BadValue(OperantError):
    """A setting outside its range."""

    def __init__(self, name: str, got: object, expected: str):
        super().__init__(f"{name} is {got!r}; expected {expected}")


class UnknownName(OperantError):
    """A name that is not in a closed list; suggests the nearest one."""

    def __init__(self, kind: str, got: str, known: Iterable[str], *, see: str = ""):
        names = sorted(known)
        near = get_close_matches(got, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else see or f"known: {', '.join(names) or 'none'}"
        super().__init__(f"no {kind} named {got!r}; {hint}")


class NotApplicable(OperantError):
    """The method cannot serve this task (no attributes, no annotator, ...). Not a failure: the report says why."""


def offered(ask: Callable[[], list[T]]) -> list[T]:
    """What a task gives of one kind; nothing where that is NotApplicable to it."""
    try:
        return ask()
    except NotApplicable:
        return []


class MissingExtra(OperantError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str):
        super().__init__(f"{package} is not installed; run: pip install 'operant[{extra}]'")


def require(condition: object, name: str, got: object, expected: str) -> None:
    """Raise BadValue unless `condition` holds."""
    if not condition:
        raise BadValue(name, got, expected)
