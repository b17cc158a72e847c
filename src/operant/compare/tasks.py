"""The tasks and subjects there are: the folder is the registry, and a user's own file needs no code."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import operant
from operant.data.represented import Represent
from operant.errors import UnknownName

DOMAINS = Path(operant.__file__).parent / "domains"
ANSWER_TOKENS = 24  # where a task names no number of its own


@lru_cache(maxsize=1)
def _modules() -> dict[str, str]:
    """Task name to module, from folder names alone: domains/<subject>/tasks/<name>/."""
    found = sorted(path.parent for path in DOMAINS.glob("*/tasks/*/__init__.py"))
    return {one.name: f"operant.domains.{one.parent.parent.name}.tasks.{one.name}" for one in found}


def task_names() -> tuple[str, ...]:
    return tuple(_modules())


def represent(subject: str) -> Represent:
    """How answers of a subject are stored and shown: domains/<subject>/represent.py."""
    known = sorted(path.parent.name for path in DOMAINS.glob("*/represent.py"))
    if subject not in known:
        raise UnknownName("subject", subject, known)
    return import_module(f"operant.domains.{subject}.represent")


def subject_of(name: str) -> str:
    """The subject whose task this is, from folder names alone."""
    return _modules()[name].split(".")[2]


def answer_tokens(name: str) -> int:
    """The most tokens that an answer to this task is given, unless a comparison says otherwise."""
    return getattr(import_module(_modules()[name]), "ANSWER_TOKENS", ANSWER_TOKENS)


def embedded(name: str, *, seed: int, pairs: int | None = None, test_prompts: int | None = None) -> Any:
    """An embedded task under one seed; its module exports it as TASK."""
    if name not in _modules():
        raise UnknownName("task", name, task_names())
    task = import_module(_modules()[name]).TASK(seed=seed)
    return task.resized(pairs=pairs, test_prompts=test_prompts)
