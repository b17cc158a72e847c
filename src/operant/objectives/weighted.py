"""Likelihood of texts of which some parts are wanted and others not, or all to some extent."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from operant.errors import require
from operant.ops import masked_sum

MOST = 1000.0  # of a token's weight in reward-weighted regression, as released
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


def reward_weights(
    rewards: Float[Tensor, "texts tokens"], values: Float[Tensor, "texts tokens"] | float, *, beta: float
) -> Float[Tensor, "texts tokens"]:
    """How much a token is imitated for its reward, above what was to be expected there: exp((R - V) / beta), at most
    1000. No gradient.

    Args:
        rewards: of each token, that of its segment.
        values: what was expected before the token was read; 0 in reward-weighted regression.
        beta: above 0; the smaller, the more the best alone count.
    Source: Peters and Schaal 2007; Peng et al. 2019, arXiv:1910.00177, eq. 10, as in Korbak et al. 2023,
    arXiv:2302.08582, sec. 2.
    """
    require(beta > 0, "beta", beta, "above 0")
    return ((rewards - values) / beta).exp().clamp(max=MOST).detach()


def weighted_nll_batch_mean(
    logps: Float[Tensor, "texts tokens"],
    mask: Bool[Tensor, "texts tokens"],
    weights: Float[Tensor, "texts tokens"],
    *,
    batch_tokens: int | Int[Tensor, ""],
    batch_texts: int | Int[Tensor, ""],
) -> Float[Tensor, " texts"]:
    """Negative log-likelihood with a weight for each token; with weights of 1 it is `answer_nll_batch_mean`.

    sum of weight * -log p * batch_texts / batch_tokens

    Args: as for `unlikelihood_batch_mean`; weights: of `reward_weights`.
    """
    return masked_sum(weights * -logps, mask) * batch_texts / batch_tokens
