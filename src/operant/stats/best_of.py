"""What best-of-n would gain, from one sample of N answers per prompt, and what it costs in KL."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, log

import numpy as np
from numpy.typing import ArrayLike

from operant.errors import require
from operant.stats.differences import Array


def best_of_n_curve(proxy: ArrayLike, gold: ArrayLike, ns: Sequence[int]) -> Array:
    """Expected gold of the best of n answers by proxy, for each n, from one sample of N answers per prompt.

    Unbiased: the mean over all subsets of n answers. The answer of rank r (1 is the lowest proxy) is the best of
    C(r-1, n-1) of the C(N, n) subsets; answers with equal proxy share their weights. Unknown is NaN and makes the
    prompt's whole row NaN.

    Args:
        proxy: [prompts, N], what chooses.
        gold: [prompts, N], what is reported.
        ns: each between 1 and N.
    Returns: [prompts, len(ns)], in the unit of gold.
    """
    proxy, gold = np.asarray(proxy, dtype=float), np.asarray(gold, dtype=float)
    require(proxy.ndim == 2 and proxy.shape == gold.shape, "gold", gold.shape, f"proxy's shape {proxy.shape}, a matrix")
    size = proxy.shape[1]
    for n in ns:
        require(1 <= n <= size, "n", n, f"between 1 and the {size} answers there are per prompt")
    # below[k]: the chance that all n answers are among the k lowest, for each n.
    below = np.array([[comb(k, n) / comb(size, n) for n in ns] for k in range(size + 1)]).reshape(size + 1, len(ns))
    curve = np.full((len(proxy), len(ns)), np.nan)
    for row in np.flatnonzero(~(np.isnan(proxy) | np.isnan(gold)).any(axis=1)):
        ranked = np.sort(proxy[row])
        first, last = np.searchsorted(ranked, proxy[row]), np.searchsorted(ranked, proxy[row], side="right")
        curve[row] = gold[row] @ ((below[last] - below[first]) / (last - first)[:, None])
    return curve


def best_of_n_kl(n: int) -> float:
    """Upper bound of KL(best of n || base), nats: ln n - (n-1)/n. Source: Beirami et al. 2024, arXiv:2401.01879."""
    require(n >= 1, "n", n, "at least 1")
    return log(n) - (n - 1) / n
