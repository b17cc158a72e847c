"""How far stated confidence is from how often it was right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require


def calibration_error(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 10) -> float:
    """Expected calibration error: |mean confidence - share right| of each bin, weighted by its share of the answers.

    Bins are of equal width over 0 to 1, closed on the right.

    Args: confidence 0 to 1; correct 0 to 1. One value an answer, all known.
    Source: Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    sure, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    require(sure.shape == right.shape and sure.ndim == 1 and len(sure), "correct", right.shape, "one a confidence")
    within = ((sure >= 0) & (sure <= 1)).all() and ((right >= 0) & (right <= 1)).all()
    require(bool(within), "confidence", (float(sure.min()), float(sure.max())), "between 0 and 1")
    place = np.clip(np.ceil(sure * bins - 1e-9).astype(int) - 1, 0, bins - 1)
    gaps = [abs(float((sure - right)[place == one].sum())) for one in range(bins)]
    return sum(gaps) / len(sure)
