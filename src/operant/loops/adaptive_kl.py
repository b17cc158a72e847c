"""The weight of a KL penalty, which follows a target: it rises while the policy moves further than that.

e = clip((KL - target) / target, -0.2, 0.2), beta <- beta (1 + 0.1 e). Source: Ziegler et al. 2019, arXiv:1909.08593.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from operant.disk import read_json, write_json
from operant.loops.rounds import Kept, Round

FILE = "kl.json"


def next_beta(beta: float, kl: float, *, target: float) -> float:
    """After a round whose hints were `kl` nats from the reference."""
    error = min(0.2, max(-0.2, (kl - target) / target))
    return beta * (1 + 0.1 * error)


def round_kl(kept: Sequence[Kept]) -> float:
    """Mean over answers of log pi - log reference as they were drawn, summed over tokens, nats."""
    gaps = [sum(one.old) - sum(one.reference) for one in kept]
    return sum(gaps) / len(gaps) if gaps else 0.0


@dataclass
class AdaptiveKL:
    """The weight of each round, remembered on disk: a run that goes on knows those of the rounds before."""

    start: float
    target: float
    directory: Path
    betas: list[float] = field(default_factory=list)  # of each round, and one more
    kls: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.directory / FILE).is_file():
            told = read_json(self.directory / FILE)
            self.betas, self.kls = told["betas"], told["kls"]
        self.betas = self.betas or [self.start]

    def beta(self, whole: Round) -> float:
        """The weight of this round; the first call for it also sets that of the next."""
        while len(self.betas) < whole.number + 1:  # rounds of which nothing was learnt change nothing
            self._add(self.betas[-1], 0.0)
        if len(self.betas) == whole.number + 1:
            kl = round_kl(whole.everyone)
            self._add(next_beta(self.betas[-1], kl, target=self.target) if self.start else 0.0, kl)
        return self.betas[whole.number]

    def _add(self, beta: float, kl: float) -> None:
        self.betas.append(beta)
        self.kls.append(kl)
        self.directory.mkdir(parents=True, exist_ok=True)
        write_json(self.directory / FILE, {"betas": self.betas, "kls": self.kls})
