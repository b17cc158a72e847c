"""Likelihood of texts of which some parts are wanted and others not."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from operant.ops import masked_sum

LEAST = 1e-20  # of 1 - p inside the logarithm, as released


def unlikelihood_batch_mean(
    logps: Float[Tensor, "texts tokens"],
    mask: Bool[Tensor, "texts tokens"],
    good: Float[Tensor, "texts tokens"],
    *,
    alpha: float,
    batch_tokens: int | Int[Tensor, ""],
    batch_texts: int | Int[Tensor, ""],
) -> Float[Tensor, " texts"]:
    """Raise the probability of wanted tokens, lower that of unwanted ones; every token of a batch weighs the same.

    sum of [good * -log p + (1 - good) * alpha * -log max(1 - p, 1e-20)] * batch_texts / batch_tokens

    Its mean over the batch is the summed loss / tokens. With every token good it is the negative log-likelihood.

    Args:
        logps: log p of each token given what stands before it, nats.
        mask: the tokens that count: neither what is only read nor padding.
        good: of each token, by the score of that token itself: 1 wanted, 0 not; between them a convex mix.
        alpha: weight of unlikelihood against likelihood, above 0.
        batch_tokens, batch_texts: tokens that count and texts in the whole accumulated batch.
    Returns: nats per token, once averaged over the batch.
    Source: Welleck et al. 2020, arXiv:1908.04319, eq. 3, as in Korbak et al. 2023, arXiv:2302.08582, sec. 2.
    """
    unlikely = -torch.log((-torch.expm1(logps)).clamp(min=LEAST))
    each = good * -logps + (1 - good) * alpha * unlikely
    return masked_sum(each, mask) * batch_texts / batch_tokens
