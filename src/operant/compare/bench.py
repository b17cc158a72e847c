"""What a method receives: the base, a view of the task without gold and test prompts, a budget, others' products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from operant.errors import OperantError
from operant.meter import charge, metered
from operant.schema import (
    Answer,
    Budget,
    Decoding,
    Document,
    Feedback,
    Judged,
    Pair,
    Policy,
    Products,
    Prompt,
    Score,
    Scorer,
    Split,
    Task,
)

Resolve = Callable[[str, dict[str, Any]], Products]


class View:
    """A task as methods see it: reading a pair costs one label, once; gold and test prompts are out of reach."""

    def __init__(self, task: Task, *, train: str = "train"):
        self._task, self._train = task, train
        self.name, self.attributes, self.canned, self.bodies = task.name, task.attributes, task.canned, task.bodies
        self._read: set[tuple[str, ...]] = set()

    def prompts(self, split: Split) -> list[Prompt]:
        return self._task.prompts(self._split(split))

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]:
        pairs = self._task.pairs(self._split(split), attribute=attribute)
        self._charge(len(pairs), "pairs", split, str(attribute))
        return pairs

    def judged(self, split: Split) -> list[Judged]:
        judged = self._task.judged(self._split(split))
        said = sum(any(x is not None for x in (one.label, one.rating, one.steps)) for one in judged)
        self._charge(said, "judged", split)
        return judged

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        documents = self._task.documents(self._split(split), scored=scored)
        if scored:
            self._charge(sum(len(one.scores or ()) for one in documents), "documents", split)
        return documents

    def _charge(self, labels: int, *what: str) -> None:
        if what not in self._read:
            self._read.add(what)
            charge(labels=labels)

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        return self._task.ask(prompts, left, right)

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """Prompts of the feedback alone: at test time nobody has the answers."""
        strange = [prompt.id for prompt in prompts if prompt.id not in self._verifiable]
        if strange:
            raise OperantError(f"prompt {strange[0]!r} is no training or validation prompt; only those can be verified")
        return self._task.verify(prompts, answers)

    @cached_property
    def _verifiable(self) -> frozenset[str]:
        return frozenset(prompt.id for split in ("train", "valid") for prompt in self._task.prompts(self._split(split)))

    def _split(self, split: str) -> Any:
        if split not in ("train", "valid"):
            raise OperantError(f"methods see the train and valid splits; {split!r} is for the comparison alone")
        return self._train if split == "train" else split


@dataclass
class Workbench:
    """The Bench that compare hands to methods."""

    base: Policy
    task: Feedback
    budget: Budget
    seed: int
    dir: Path
    max_length: int
    decoding: Decoding
    resolve: Resolve  # another method's product by slug and settings, from the cache of the run
    own: Callable[[Mapping[str, Any], Path], Products]  # this method at other settings

    @property
    def proxy(self) -> Scorer:
        scorer = self.product("bradley-terry").scorer
        assert scorer is not None
        return scorer

    def product(self, slug: str, **settings: Any) -> Products:
        return self.resolve(slug, settings)

    def cells(self, grid: Mapping[str, Sequence[Any]]) -> list[Products]:
        found: list[Products] = []
        for values in product(*grid.values()):
            settings = dict(zip(grid, values, strict=True))
            found.append(self.own(settings, self.dir / f"cell-{len(found)}"))
        return found

    def pool(self, prompts: Sequence[Prompt], n: int) -> list[list[Answer]]:
        return self.base.answer(prompts, n=n, decoding=self.decoding, seed=self.seed)


_RESOLVING: list[str] = []


@contextmanager
def no_cycle(name: str) -> Iterator[None]:
    """A method that needs its own product, by whatever way round, is told so."""
    if name in _RESOLVING:
        raise OperantError(f"methods need each other in a circle: {' -> '.join([*_RESOLVING, name])}")
    _RESOLVING.append(name)
    try:
        yield
    finally:
        _RESOLVING.pop()


def unmetered(work: Callable[[], Any]) -> Any:
    """Do something that is charged to nobody: the comparison's own grading."""
    with metered():
        return work()
