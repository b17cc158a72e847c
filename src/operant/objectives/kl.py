"""KL(policy || reference) of an answer, nats summed over its tokens.

k1, k2 and k3 estimate it from tokens that the policy itself sampled at temperature 1, with
r = reference(token) / policy(token). Source: Schulman 2020, Approximating KL divergence (joschu.net/blog/kl-approx).
`kl_full` is exact at each position, given the answer so far.

`token_k1`, `token_k2` and `token_k3` are the same before the sum, for losses that reduce tokens in another way.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from operant.ops import masked_sum


def token_k1(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, "answers tokens"]:
    """-log r of every token, nats; 0 where masked.

    Args:
        policy, reference: log-probabilities of the sampled tokens, nats.
        mask: the answer's tokens: neither prompt nor padding.
    """
    return -_log_ratio(policy, reference, mask)


def token_k2(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, "answers tokens"]:
    """(log r)^2 / 2 of every token; 0 where masked. Args: as for `token_k1`."""
    return _log_ratio(policy, reference, mask) ** 2 / 2


def token_k3(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, "answers tokens"]:
    """r - 1 - log r of every token; 0 where masked. Args: as for `token_k1`."""
    log_ratio = _log_ratio(policy, reference, mask)
    return torch.expm1(log_ratio) - log_ratio


def kl_k1(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, " answers"]:
    """-log r: unbiased, of high variance, negative about as often as not where the policies are close.

    Its gradient through `policy` is not that of the KL: put it into the reward, not into the loss.

    Args: as for `token_k1`.
    """
    return token_k1(policy, reference, mask).sum(-1)


def kl_k2(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, " answers"]:
    """(log r)^2 / 2: never negative, of low variance, biased by third order in log r; its gradient is the KL's.

    Args: as for `token_k1`.
    """
    return token_k2(policy, reference, mask).sum(-1)


def kl_k3(
    policy: Float[Tensor, "answers tokens"],
    reference: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, " answers"]:
    """r - 1 - log r: never negative, unbiased as a value, of lower variance than k1.

    Args: as for `token_k1`.
    """
    return token_k3(policy, reference, mask).sum(-1)


def kl_full(
    policy_logits: Float[Tensor, "answers tokens vocab"],
    reference_logits: Float[Tensor, "answers tokens vocab"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, " answers"]:
    """Sum over the vocabulary of p log(p / q) at every token of the answer; infinite where q is 0 and p is not.

    Args:
        policy_logits, reference_logits: at temperature 1; -inf for a token that cannot come.
        mask: the positions whose next token belongs to the answer.
    """
    log_p, log_q = policy_logits.log_softmax(-1), reference_logits.log_softmax(-1)
    gap = (log_p - log_q).masked_fill(log_p.isneginf(), 0.0)  # 0 log 0 = 0
    return masked_sum((log_p.exp() * gap).sum(-1), mask)


def _log_ratio(policy: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """log r, and 0 where masked: masked before what is not linear, or what stands there would reach the gradient."""
    return torch.where(mask, reference - policy, 0.0)
