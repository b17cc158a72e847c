"""What rewards of single steps become before they are added up, so that more steps do not mean more reward.

Each takes the rewards of one answer's steps in order. Source of `clipped_steps` and `delta_steps`: Gao et al. 2024,
arXiv:2410.15115, sec. 5.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from operant.errors import require


def clipped_steps(rewards: Float[Tensor, " steps"], *, threshold: float) -> Float[Tensor, " steps"]:
    """Nothing for a good step, a penalty for another: min(r, threshold) - threshold, at most 0.

    Args: rewards: of a process reward model, 0 to 1. threshold: from which a step is good enough, 0 to 1.
    """
    require(0 <= threshold <= 1, "threshold", threshold, "between 0 and 1")
    return rewards.clamp(max=threshold) - threshold


def delta_steps(rewards: Float[Tensor, " steps"]) -> Float[Tensor, " steps"]:
    """A step's reward minus the next one's; the last but one keeps its own, the last has none.

    So the sum from any step but the last to the end is that step's own reward, however many steps follow.
    """
    found = torch.zeros_like(rewards)
    if len(rewards) > 1:
        found[:-1] = rewards[:-1]
        found[:-2] -= rewards[1:-1]
    return found


def returns(rewards: Float[Tensor, " steps"]) -> Float[Tensor, " steps"]:
    """The sum of rewards from each step, or token, to the end; undiscounted."""
    return rewards.flip(0).cumsum(0).flip(0)
