"""Self-consistency: the answer that most samples agree on. Source: Wang et al. 2023, arXiv:2203.11171."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from operant.disk import answer_seed
from operant.errors import require
from operant.schema import KL, Answer, Decoding, Generator, Point, Prompt

Read = Callable[[str], "str | None"]  # the final answer that a text holds; None: none


class Majority:
    """The most frequent final answer among `votes` samples; of equally frequent ones that which came first.

    What is handed over is the first sample that gives it; its trace holds the counts and how many samples held no
    answer. Those do not vote, unless there is nothing else: then the first sample stands, unread.

    Args: temperature: of the samples; None leaves that of the caller.
    """

    def __init__(self, base: Generator, read: Read, *, votes: int, temperature: float | None = None):
        require(votes >= 1, "votes", votes, "at least 1")
        self.base, self.read, self.votes, self.temperature = base, read, votes, temperature

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """Answer j is elected by samples of its own, which no other answer shares."""
        if self.temperature is not None:
            decoding = replace(decoding, temperature=self.temperature)
        rounds = [
            self.base.answer(prompts, n=self.votes, decoding=decoding, seed=answer_seed(seed, "votes", copy))
            for copy in range(n)
        ]
        return [[elected(one[place], self.read) for one in rounds] for place in range(len(prompts))]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Unknown: the probability of being elected has no closed form."""
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="the probability of being elected has no closed form")

    def points(self) -> list[Point]:
        """One vote, and all."""
        sizes = sorted({1, self.votes})
        return [Point(knob="votes", value=float(size), generator=self._with(size)) for size in sizes]

    def _with(self, votes: int) -> Majority:
        return Majority(self.base, self.read, votes=votes, temperature=self.temperature)

    def save(self, directory: Path) -> None:
        """Whose samples they are; who made this keeps how they are read."""
        (directory / "base").mkdir(parents=True, exist_ok=True)
        self.base.save(directory / "base")


def elected(answers: Sequence[Answer], read: Read) -> Answer:
    """The winner of one vote."""
    found = [read(str(one.value)) for one in answers]
    counts = Counter(one for one in found if one is not None)
    winner = counts.most_common(1)[0][0] if counts else None  # of equal ones the first met
    trace = {"votes": dict(counts), "unread": found.count(None)}
    return replace(answers[found.index(winner)], trace=trace)
