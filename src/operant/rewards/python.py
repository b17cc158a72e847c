"""A reward function of the user's own, in the signature that TRL's trainers call.

    def reward(prompts, completions, **columns) -> list[float | None]

The name of a function is code to run: it comes from a command line or a call, never from data or a saved config.
"""

from __future__ import annotations

import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

from operant.disk import read_json, write_json
from operant.errors import OperantError, UnknownName
from operant.rewards.model import compare_by_score
from operant.schema import Answer, Prompt, Scale, Score

NOT_COLUMNS = ("prompt", "completion", "prompts", "completions")  # TRL leaves the first two out; the others are ours


class FunctionScorer:
    """Scores with `module:name`, on whatever scale the function has; None from it is an unknown score.

    Text prompts come with text completions; conversations with completions of one message of the assistant, as in TRL.
    Every column of the rows is handed over as a list under its own name, None where a row lacks it.
    """

    scale: Scale = "raw"

    def __init__(self, name: str):
        self.name = name
        self.function = _find(name)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        completions = [_completion(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        if not completions:
            return []
        asked = [prompt.content if isinstance(prompt.content, str) else list(prompt.content) for prompt in prompts]
        try:
            found = self.function(prompts=asked, completions=completions, **columns_of(prompts))
        except Exception as error:
            error.add_note(f"raised by the reward function {self.name}")
            raise
        values = self._checked(found, len(completions))
        return [
            self._score(value, prompt, place) for place, (value, prompt) in enumerate(zip(values, prompts, strict=True))
        ]

    def _checked(self, found: Any, count: int) -> Sequence[Any]:
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise OperantError(f"{self.name} returned {type(found).__name__}; expected a list of numbers or None")
        if len(found) != count:
            raise OperantError(f"{self.name} returned {len(found)} rewards for {count} answers; expected one each")
        return found

    def _score(self, value: Any, prompt: Prompt, place: int) -> Score:
        if value is None:
            return Score(value=None, why=f"{self.name} returned None")
        if not isinstance(value, Real) or not math.isfinite(value):
            raise OperantError(
                f"{self.name} returned {value!r} at place {place} (prompt {prompt.id!r}); expected a finite number, or "
                "None where it cannot tell"
            )
        return Score(value=float(value))

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid of the difference of the scores."""
        return compare_by_score(self, prompts, left, right)

    def save(self, directory: Path) -> None:
        write_json(directory / "function.json", {"function": self.name})

    @classmethod
    def load(cls, directory: Path, *, name: str) -> FunctionScorer:
        """The same function again. The caller names it, because a file may not choose what runs here."""
        saved = read_json(directory / "function.json")["function"]
        if saved != name:
            raise OperantError(f"{directory} was saved with the function {saved!r}, not {name!r}")
        return cls(name)


def _completion(prompt: Prompt, answer: Answer) -> Any:
    text = str(answer.value)
    return text if isinstance(prompt.content, str) else [{"role": "assistant", "content": text}]


def columns_of(prompts: Sequence[Prompt]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for prompt in prompts for name in prompt.columns if name not in NOT_COLUMNS)
    return {name: [prompt.columns.get(name) for prompt in prompts] for name in names}


def _find(name: str) -> Callable[..., Any]:
    module, _, inside = name.partition(":")
    if not module or not inside:
        raise OperantError(f"{name!r} names no function; expected module:name, such as my_rewards:brevity")
    try:
        with _working_directory():
            holder = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there; what it imports is not
        raise OperantError(
            f"no module {module!r} is installed or stands in {Path.cwd().name}/, from where this runs"
        ) from None
    known = [one for one, value in vars(holder).items() if callable(value) and not one.startswith("_")]
    function = getattr(holder, inside, None)
    if not callable(function):
        raise UnknownName(f"function of {module}", inside, known)
    if inspect.iscoroutinefunction(function):
        raise OperantError(f"{name} is an async function; expected one that returns its list directly")
    return function


@contextmanager
def _working_directory() -> Iterator[None]:
    """Modules beside the user are found too, after everything that is installed."""
    here = os.getcwd()
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
