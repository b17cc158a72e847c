"""How much of what a state is worth depends on the context: whether novelty should be counted within episodes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from operant.errors import require
from operant.schema import Finding

Values = Mapping[Hashable, float]  # of one context, by the feature of the state


def value_variance(contexts: Sequence[Values]) -> float:
    """E_x[Var_c V_c(x)] / Var_{x,c} V, 0 to 1: the share of the values' variance that lies between contexts.

    Near 1 a feature means different things in different contexts, which favours episodic bonuses; near 0 global ones.
    Features that a single context has say nothing and are left out. 0 where all values are equal.

    Source: Henaff et al. 2023, arXiv:2306.03236, sec. 4; dividing by the whole variance is ours.
    """
    require(len(contexts) >= 2, "contexts", len(contexts), "at least 2")
    seen: dict[Hashable, list[float]] = {}
    for values in contexts:
        for feature, value in values.items():
            seen.setdefault(feature, []).append(value)
    shared = [np.array(values) for values in seen.values() if len(values) > 1]
    if not shared:
        return 0.0
    whole = np.concatenate(shared).var()
    weights = np.array([len(values) for values in shared], dtype=float)
    within = np.array([values.var() for values in shared])
    return float((weights * within).sum() / weights.sum() / whole) if whole > 0 else 0.0


def value_variance_finding(
    name: str, contexts: Sequence[Values], *, rng: np.random.Generator, draws: int = 200
) -> Finding:
    """With the 2.5% and 97.5% points over redrawn contexts.

    A redrawn context meets itself, which lowers the variance within features by (n - 1) / n in the mean.
    """
    drawn = [
        value_variance([contexts[place] for place in rng.integers(0, len(contexts), len(contexts))])
        for _ in range(draws)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    effect = value_variance(contexts)
    return Finding(name=name, effect=effect, low=min(effect, float(low)), high=max(effect, float(high)), unit="share")
