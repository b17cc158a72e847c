"""Reward models that admit to not knowing whose preference they read: a distribution for each answer, not a number.

Siththaranjan et al. 2023 (distributional preference learning), arXiv:2312.08358, sec. 4.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def mean_variance_loss(chosen: Float[Tensor, "pairs 2"], rejected: Float[Tensor, "pairs 2"]) -> Float[Tensor, " pairs"]:
    """Surprise at the judge's choice, when each answer's reward is normal and drawn anew.

    -log Phi((m_c - m_r) / sqrt(s_c^2 + s_r^2)), where a row is (m, softplus^-1(s))

    Returns: nats per pair. Source: arXiv:2312.08358, sec. 4; its code puts a logistic curve in the place of Phi.
    """
    spread = torch.hypot(F.softplus(chosen[:, 1]), F.softplus(rejected[:, 1]))
    return -torch.special.log_ndtr((chosen[:, 0] - rejected[:, 0]) / spread)


def categorical_loss(
    chosen: Float[Tensor, "pairs atoms"], rejected: Float[Tensor, "pairs atoms"], *, entropy: float
) -> Float[Tensor, " pairs"]:
    """The same, when each answer's reward is one of evenly spaced values, and equal ones are tossed a coin over.

    -log(sum over i > j of p_i q_j + 1/2 sum over i of p_i q_i) - entropy * H(mean of all p and q of the batch)

    Args:
        chosen, rejected: logits of the values, the lowest first.
        entropy: >= 0, weight of the second term, which keeps all values in use; it is the same for every pair.
    Returns: nats per pair. Source: arXiv:2312.08358, sec. 4 and its code, with 10 values and a weight of 0.1.
    """
    won, lost = chosen.softmax(-1), rejected.softmax(-1)
    below = lost.cumsum(-1) - 0.5 * lost
    used = torch.cat([won, lost]).mean(0)
    return -(won * below).sum(-1).log() + entropy * (used * used.log()).sum()
