"""Go on in the direction that training went: ExPO (Zheng et al. 2024, arXiv:2404.16792)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from operant.errors import require

Weights = Mapping[str, Tensor]


def extrapolated(start: Weights, end: Weights, *, alpha: float) -> dict[str, Tensor]:
    """start + (1 + alpha) * (end - start), weight by weight.

    Args:
        start, end: weights of one model before and after training.
        alpha: 0 gives `end` and -1 gives `start`, exactly; above 0 lies beyond what was trained.
    Source: Zheng et al. 2024, arXiv:2404.16792, eq. 1.
    """
    require(start.keys() == end.keys(), "the weights of start", f"{len(start)} names", "the names that end has")
    return {
        name: torch.lerp(start[name], value, 1 + alpha) if value.is_floating_point() else value
        for name, value in end.items()
    }
