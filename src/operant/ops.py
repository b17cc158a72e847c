"""Tensor helpers without opinions. What a mask leaves out may hold anything, NaN included, and gets no gradient."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def masked_sum(values: Float[Tensor, "*rows tokens"], mask: Bool[Tensor, "*rows tokens"]) -> Float[Tensor, "*rows"]:
    """Sum over the last axis of the values that the mask keeps; 0 where it keeps none."""
    return torch.where(mask, values, 0.0).sum(-1)


def masked_mean(values: Float[Tensor, "*rows tokens"], mask: Bool[Tensor, "*rows tokens"]) -> Float[Tensor, "*rows"]:
    """Mean over the last axis of the values that the mask keeps; NaN where it keeps none."""
    return masked_sum(values, mask) / mask.sum(-1)


def whiten(
    values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"] | None = None, *, eps: float = 1e-8
) -> Float[Tensor, "*shape"]:
    """Shift and scale to mean 0 and (population) variance 1 over all that the mask keeps; the rest becomes 0.

    (values - mean) / sqrt(variance + eps), so equal values become 0.
    """
    kept = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    centred = torch.where(kept, values - masked_mean(values.flatten(), kept.flatten()), 0.0)
    variance = masked_mean((centred**2).flatten(), kept.flatten())
    return centred * torch.rsqrt(variance + eps)


def token_logps(logits: Float[Tensor, "*rows vocab"], targets: Int[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
    """Log-probability of each target, nats, computed in fp32 (fp64 stays) whatever the precision of the logits."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
