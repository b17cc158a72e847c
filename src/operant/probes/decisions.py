"""How probable one answer is behind many prompts: by log-probabilities where there are any, else by drawing answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from operant.disk import content_hash
from operant.errors import NotApplicable
from operant.probes.answers import holds, log_probabilities, slot
from operant.probes.shapley import binomial
from operant.schema import Decoding, Prompt

SAMPLES = 20  # answers a prompt, where there are no log-probabilities
LEAST_MASS = 0.5  # of the labels together, below which a text is counted
NEVER = 1e-3  # chance of the answer, below which it is as good as never given


@dataclass
class Tally:
    """What a reader should know of the values."""

    texts: int = 0  # in which there were labels to choose from
    outside: int = 0  # of them with less than LEAST_MASS on the labels together
    mass: float = 0.0  # of the labels, summed over texts
    sampled: bool = False
    best: dict[str, float] = field(default_factory=dict)  # prompt -> the largest chance of its answer in any text

    def heard(self, prompts: Sequence[Prompt], chances: np.ndarray) -> None:
        for prompt, chance in zip(prompts, chances, strict=True):
            self.best[prompt.id] = max(self.best.get(prompt.id, 0.0), float(chance))

    def noise(self, values: np.ndarray) -> np.ndarray:
        """Variance of each value: none but of drawn answers."""
        return binomial(SAMPLES)(values) if self.sampled else np.zeros_like(values)

    def warnings(self) -> list[str]:
        said = [f"values are shares of {SAMPLES} answers"] if self.sampled else []
        if self.texts:
            said.append(f"other answers than the labels have {1 - self.mass / self.texts:.2g} of the probability")
        if self.outside:
            said.append(f"in {self.outside} of {self.texts} texts the labels have less than {LEAST_MASS:g} together")
        never = sum(chance < NEVER for chance in self.best.values())
        if never:
            said.append(f"{never} of {len(self.best)} prompts never have their answer, whatever is left out")
        return said


def decide(
    model: Any, prompts: Sequence[Prompt], labels: Sequence[str], *, ends: bool, seed: int, tally: Tally
) -> np.ndarray:  # fmt: skip
    """Probability of the first label behind each prompt; where there are several labels, among them."""
    slots = [slot(prompt, "") for prompt in prompts for _ in labels]
    try:
        logps = log_probabilities(model, slots, [*labels] * len(prompts), ends=ends)
        found = _among(np.exp(np.array(logps)).reshape(len(prompts), len(labels)), tally)
    except NotApplicable:
        tally.sampled = True
        found = _shares(model, prompts, labels[0], seed=seed)
    tally.heard(prompts, found)
    return found


def _among(each: np.ndarray, tally: Tally) -> np.ndarray:
    """[prompts, labels] to the first label's share of them; what is outside is told apart."""
    if each.shape[1] == 1:
        return each[:, 0]
    mass = each.sum(1)
    tally.texts += len(mass)
    tally.outside += int((mass < LEAST_MASS).sum())
    tally.mass += float(mass.sum())
    return each[:, 0] / np.where(mass > 0, mass, 1.0)


def _shares(model: Any, prompts: Sequence[Prompt], label: str, *, seed: int) -> np.ndarray:
    """Shares of drawn answers that hold the label; every text is drawn for by itself."""
    named = [replace(one, id=f"{one.id}/{content_hash(str(one.content))}") for one in prompts]
    decoding = Decoding(max_tokens=2 * len(label.split()) + 8)
    drawn = model.answer(named, n=SAMPLES, decoding=decoding, seed=seed)
    return np.array([sum(holds(str(one.value), [label]) for one in many) / SAMPLES for many in drawn])
