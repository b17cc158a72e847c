"""Best of n: draw n answers from the base, keep the one that the scorer likes most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from operant.disk import answer_seed
from operant.errors import OperantError, require
from operant.schema import KL, Answer, Decoding, Generator, Point, Policy, Prompt, Scorer
from operant.stats import best_of_n_kl


class BestOf:
    """The highest-scored of n answers; unknown scores lose to known ones, ties go to the first."""

    def __init__(self, base: Generator, scorer: Scorer, *, n: int):
        require(n >= 1, "n", n, "at least 1")
        self.base, self.scorer, self.n = base, scorer, n

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """Answer j is the best of its own n candidates, which no other answer shares."""
        rounds = [self._best(prompts, decoding, answer_seed(seed, "best-of", copy)) for copy in range(n)]
        return [list(many) for many in zip(*rounds, strict=True)]

    def _best(self, prompts: Sequence[Prompt], decoding: Decoding, seed: int) -> list[Answer]:
        drawn = self.base.answer(prompts, n=self.n, decoding=decoding, seed=seed)
        flat = [(prompt, answer) for prompt, many in zip(prompts, drawn, strict=True) for answer in many]
        scored = self.scorer.score([prompt for prompt, _ in flat], [answer for _, answer in flat])
        values = [-math.inf if score.value is None or math.isnan(score.value) else score.value for score in scored]
        best = []
        for place, many in enumerate(drawn):
            mine = values[place * self.n : (place + 1) * self.n]
            if max(mine) == -math.inf:
                why = scored[place * self.n].why or "every value is -inf or not a number"
                raise OperantError(f"no candidate of prompt {prompts[place].id!r} could be scored: {why}")
            best.append(many[mine.index(max(mine))])
        return best

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Unknown: the probability of being the best of n has no closed form."""
        assert len(prompts) == len(answers)

    def kl(self, base: Policy, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(
            values=(best_of_n_kl(self.n),) * len(prompts),
            kind="bound",
            why="ln n - (n-1)/n, an upper bound (arXiv:2401.01879)",
        )

    def points(self) -> list[Point]:
        """Powers of two up to n."""
        sizes = sorted({2**k for k in range(self.n.bit_length()) if 2**k <= self.n} | {self.n})
        return [Point(knob="n", value=float(n), generator=BestOf(self.base, self.scorer, n=n)) for n in sizes]

    def save(self, directory: Path) -> None:
        """Every net it uses: the base and the scorer."""
        for name, part in (("base", self.base), ("scorer", self.scorer)):
            (directory / name).mkdir(parents=True, exist_ok=True)
            part.save(directory / name)
