"""Can a linear probe tell what group a vector belongs to?"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from operant.schema import Finding

FOLDS = 5


def separable(
    vectors: NDArray[np.float32], groups: Sequence[str], owners: Sequence[str], *, seed: int, ridge: float = 1.0
) -> Finding | None:
    """Accuracy of ridge regression to groups, every owner's vectors judged by a probe that was fitted without them.

    Args:
        vectors: [vectors, width]; groups, owners: of each vector. An owner is of one group.
    Returns: the mean over owners, with a normal interval over them; None where there are fewer than two groups, or
        fewer owners than folds. Chance is the share of the largest group.
    """
    names, who = sorted(set(groups)), np.array(owners)
    order = sorted(set(owners))
    if len(names) < 2 or len(order) < FOLDS:
        return None
    Random(seed).shuffle(order)
    of = dict(zip(owners, groups, strict=True))
    order.sort(key=lambda owner: of[owner])  # every fold has its share of each group, or leaving it out would tell
    truth = np.array([names.index(group) for group in groups])
    read, target = np.c_[vectors, np.ones(len(vectors))].astype(float), np.eye(len(names))[truth]
    right = np.zeros(len(truth))
    for fold in range(FOLDS):
        out = np.isin(who, order[fold::FOLDS])
        square = read[~out].T @ read[~out] + ridge * np.eye(read.shape[1])
        right[out] = (read[out] @ np.linalg.solve(square, read[~out].T @ target[~out])).argmax(1) == truth[out]
    shares = np.array([right[who == owner].mean() for owner in order])
    mean, spread = float(shares.mean()), 1.96 * float(shares.std(ddof=1)) / len(shares) ** 0.5
    return Finding(
        name="accuracy of a linear probe for the group in beliefs", effect=mean, low=max(0.0, mean - spread),
        high=min(1.0, mean + spread),
    )  # fmt: skip
