"""What a formula was worth against the one it was looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operant.domains.symbolic.exact import same
from operant.domains.symbolic.expression import Points, Token, compute
from operant.schema import Metric, Score

METRICS = (
    Metric(name="recovered", what="the formula is the target's, by algebra; constants near small fractions count"),
    Metric(name="fit", what="share of the target's variance at points of its own, 0 at least"),
    Metric(name="tokens", direction="down", what="operators, variables and numbers of the formula"),
)


def measured(found: Sequence[Token], truth: Sequence[Token], points: Points) -> dict[str, Score]:
    """Every metric of one formula."""
    equal = same(found, truth, variables=points.shape[1])
    unknown = "the values agree, but algebra came to no end"
    return {
        "recovered": Score(value=None, why=unknown) if equal is None else Score(value=float(equal)),
        "fit": Score(value=fit(found, points, compute(tuple(truth), points))),
        "tokens": Score(value=float(len(found))),
    }


def fit(found: Sequence[Token], points: Points, wanted: Points) -> float:
    """1 - squared error over variance, at least 0; 0 where the formula is not defined somewhere."""
    given = compute(tuple(found), points)
    if not np.isfinite(given).all():
        return 0.0
    return float(max(0.0, 1 - ((given - wanted) ** 2).mean() / wanted.var()))
