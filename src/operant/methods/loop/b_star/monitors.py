"""What is watched of each round: whether answers still differ, and whether rewards still tell right from wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operant.methods.loop.b_star.balance import Pool, Scored
from operant.models.steps import step_texts
from operant.schema import Finding
from operant.stats import cell

TOP = 4  # answers of most reward, of which one has to be right


def pass_at(pools: Sequence[Pool], k: int) -> list[float]:
    """Of each prompt, the chance that one of k of its answers, drawn without replacement, is right."""
    found = []
    for one in pools:
        count, wrong = len(one.answers), sum(not own.right for own in one.answers)
        missed = np.prod([max(wrong - at, 0) / (count - at) for at in range(min(k, count))])
        found.append(1.0 - float(missed))
    return found


def reward_at(pools: Sequence[Pool], top: int) -> list[float]:
    """Of each prompt, whether one of the `top` answers of most reward is right; with 1 it is best-of-K accuracy."""
    return [float(any(own.right for own in one.answers[:top])) for one in pools]


def different_equations(pools: Sequence[Pool], step_end: str) -> list[float]:
    """Of each prompt whose answers hold equations, the share of them that no other is equal to."""
    found = []
    for one in pools:
        steps = [step for own in one.answers for step in step_texts(str(own.answer.value), step_end)]
        equations = ["".join(step.split()) for step in steps if "=" in step]
        if equations:
            found.append(len(set(equations)) / len(equations))
    return found


def evenness(selected: Sequence[Sequence[Scored]]) -> float:
    """1 - std / mean of how many answers of each prompt are imitated; 1 where all have as many."""
    counts = np.array([len(many) for many in selected], dtype=float)
    return 1.0 - float(counts.std() / counts.mean())


def watched(pools: Sequence[Pool], selected: Sequence[Sequence[Scored]], *, name: str, step_end: str) -> list[Finding]:
    """The monitors of one round."""
    most = max(len(one.answers) for one in pools)
    many, one = pass_at(pools, most), pass_at(pools, 1)
    measured = {
        f"pass@{most}": many,
        f"pass@{most} - pass@1": [a - b for a, b in zip(many, one, strict=True)],
        "different equations": different_equations(pools, step_end),
        f"reward@{most}-{TOP}": reward_at(pools, TOP),
        f"best of {most}": reward_at(pools, 1),
    }
    found = [_told(f"{name}: {what}", values) for what, values in measured.items() if values]
    return [*found, exactly(f"{name}: evenness of prompts", evenness(selected))]


def exactly(name: str, value: float) -> Finding:
    """A number that is chosen or counted, not estimated."""
    return Finding(name=name, effect=value, low=value, high=value)


def _told(name: str, values: Sequence[float]) -> Finding:
    seen = cell(np.array(values)) if len(values) > 1 else None
    mean = float(np.mean(values))
    low, high = (mean, mean) if seen is None else (seen.low, seen.high)
    return Finding(name=name, effect=mean, low=mean if low is None else low, high=mean if high is None else high)
