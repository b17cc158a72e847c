"""What an answer, or a token of it, was worth beyond what was to be expected. No gradient goes through any of it.

A reward that nobody could tell is NaN: it is left out of every baseline, and its own advantage is 0.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from operant.errors import require


def leave_one_out(rewards: Float[Tensor, "groups answers"]) -> Float[Tensor, "groups answers"]:
    """Reward above the mean reward of the other answers to the same prompt: an unbiased baseline. Sums to 0 a group.

    r_k - 1 / (K - 1) * sum of r_j, j != k

    Args: rewards: at least two answers a group; one alone is worth 0.
    Source: RLOO, Ahmadian et al. 2024, arXiv:2402.14740, eq. 10; Kool et al. 2019.
    """
    _several(rewards)
    known = ~rewards.isnan()
    others = known.sum(-1, keepdim=True) - 1
    baseline = (rewards.nansum(-1, keepdim=True) - rewards) / others.clamp(min=1)
    return torch.where(known & (others > 0), rewards - baseline, 0.0)


def group_relative(
    rewards: Float[Tensor, "groups answers"], *, scaled: bool, eps: float = 1e-4
) -> Float[Tensor, "groups answers"]:
    """Reward above the group's mean; `scaled`: over the group's standard deviation.

    (r - mean) / (std + eps), std with K - 1 in its denominator; without scaling r - mean, which is Dr. GRPO's. The
    scaled one makes a prompt weigh more the more its answers agree.

    Args: rewards: at least two answers a group. eps: what keeps a group of equal rewards at 0.
    Source: GRPO, Shao et al. 2024, arXiv:2402.03300, sec. 4.1.2; Dr. GRPO, Liu et al. 2025, arXiv:2503.20783, sec. 3.2.
    """
    _several(rewards)
    known = ~rewards.isnan()
    count = known.sum(-1, keepdim=True)
    centred = torch.where(known, rewards - rewards.nansum(-1, keepdim=True) / count.clamp(min=1), 0.0)
    if not scaled:
        return centred
    spread = ((centred**2).sum(-1, keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    return centred / (spread + eps)


class Estimated(NamedTuple):
    """Of every token; 0 where masked."""

    advantages: Tensor  # [answers, tokens]
    returns: Tensor  # [answers, tokens] what the critic should have said


def generalised_advantages(
    rewards: Float[Tensor, "answers tokens"],
    values: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    *,
    discount: float,
    decay: float,
) -> Estimated:
    """What every token was worth by rewards that follow it and a critic that foresaw some of them.

    delta_t = r_t + discount * V_{t+1} - V_t;  A_t = delta_t + discount * decay * A_{t+1};  return_t = A_t + V_t

    V behind the last token is 0: an answer ends there, also where it was cut.

    Args:
        rewards: of each token; a reward of the whole answer stands at its last token.
        values: the critic's, of the text before each token.
        mask: the answer's tokens, without gaps, from its first.
        discount: gamma, 0 to 1. decay: lambda, 0 (the critic's word alone) to 1 (what really came).
    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    require(0 <= discount <= 1, "discount", discount, "between 0 and 1")
    require(0 <= decay <= 1, "decay", decay, "between 0 and 1")
    foreseen, given = (torch.where(mask, one.detach(), 0.0) for one in (values, rewards))
    after, ahead = foreseen.new_zeros(len(foreseen)), foreseen.new_zeros(len(foreseen))
    found = torch.zeros_like(foreseen)
    for time in reversed(range(foreseen.shape[1])):
        after = given[:, time] + discount * ahead - foreseen[:, time] + discount * decay * after
        found[:, time], ahead = after, foreseen[:, time]
    found = torch.where(mask, found, 0.0)
    return Estimated(found, found + foreseen)


def _several(rewards: Tensor) -> None:
    require(rewards.shape[-1] >= 2, "answers to a prompt", rewards.shape[-1], "at least 2, or there is no baseline")
