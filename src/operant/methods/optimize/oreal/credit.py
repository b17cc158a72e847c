"""Which tokens an outcome hangs on, by a small reward model that learns from outcomes alone.

It gives every token a score where the token is predicted. The mean of the scores so far is its guess, at that token, of
whether the answer will turn out right; what it is sure of carries the credit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def running_mean(
    scores: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"]
) -> Float[Tensor, "answers tokens"]:
    """m_t, the mean of an answer's scores up to and with token t; 0 where masked.

    Source: Lyu et al. 2025, OREAL, arXiv:2502.06781, sec. 3.3.
    """
    sums = torch.where(mask, scores, 0.0).cumsum(1)
    return torch.where(mask, sums / mask.cumsum(1).clamp(min=1), 0.0)


def outcome_loss(
    means: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"], right: Bool[Tensor, " answers"]
) -> Float[Tensor, " answers"]:
    """Surprise at the outcome, of the mean over a whole answer: -log sigmoid(m_T), or of -m_T where it was wrong.

    Args: means: of `running_mean`, with gradient.
    Returns: nats per answer.
    """
    whole = means.gather(1, (mask.sum(1, keepdim=True) - 1).clamp(min=0)).squeeze(1)
    return F.binary_cross_entropy_with_logits(whole, right.to(whole), reduction="none")


def threshold_weights(
    means: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"], right: Bool[Tensor, " answers"]
) -> Float[Tensor, "answers tokens"]:
    """How surely the guess at each token is what came out, 0 where it leans the other way: max(2 P - 1, 0).

    P = sigmoid(m_t) for right answers, 1 - sigmoid(m_t) for wrong ones; weights of both differ by tanh(m / 2). No
    gradient.
    """
    lean = torch.tanh(torch.where(right.unsqueeze(1), means, -means).detach() / 2)
    return torch.where(mask, lean.clamp(min=0), 0.0)


def top_weights(
    means: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    right: Bool[Tensor, " answers"],
    *,
    share: float,
) -> Float[Tensor, "answers tokens"]:
    """The surest tokens of each answer alone, rescaled to 0..1 over themselves; 1 where they are all alike.

    Args: share: of an answer's tokens, rounded, at least one of them.
    """
    sure = torch.sigmoid(torch.where(right.unsqueeze(1), means, -means).detach()).masked_fill(~mask, -1.0)
    count = (mask.sum(1) * share).round().clamp(min=1).long()
    rank = sure.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    kept = mask & (rank < count.unsqueeze(1))
    low = sure.masked_fill(~kept, 2.0).amin(1, keepdim=True)
    spread = sure.amax(1, keepdim=True) - low
    scaled = torch.where(spread > 0, (sure - low) / spread.clamp(min=1e-12), 1.0)
    return torch.where(kept, scaled, 0.0)
