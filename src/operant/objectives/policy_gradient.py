"""Losses on answers that a policy sampled itself: their gradient raises what was worth more than expected.

Their values say nothing, only their gradients do. What is called `old` are the log-probabilities that the answers were
sampled with, kept by the sampler; where nothing was updated since, the ratio to them is 1, and its gradient is that of
the log-probability.

GRPO is `ppo_loss` with `group_relative` advantages and, where one is wanted, a KL term beside it, reduced alike:
`ppo_loss(..., reduce=answer_mean) + beta * answer_mean(token_k3(logps, reference, mask), mask)`. Times
`token_ratios(logps, old, mask)`, k3's gradient is the KL's, and unbiased after updates too: DeepSeek-V3.2
(arXiv:2512.02556), TRL's default.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from operant.errors import require
from operant.objectives.reduction import Reduce


def reinforce_loss(
    logps: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    rewards: Float[Tensor, " answers"],
    *,
    baseline: Float[Tensor, " answers"] | float,
    reduce: Reduce,
) -> Float[Tensor, " answers"]:
    """Log-likelihood of an answer, weighed by what it got above the baseline.

    reduce(-(reward - baseline) * log pi(y_t | x, y_<t))

    Args:
        logps: log pi of each token, nats, with gradient.
        mask: the answer's tokens.
        rewards: of whole answers.
        baseline: of each prompt, or one for all; nothing that hangs on the answer itself.
        reduce: `answer_sum` is the gradient as derived; others change what long answers weigh.
    Source: Williams 1992, eq. 2.
    """
    above = (rewards - baseline).detach()
    return reduce(-above.unsqueeze(1) * logps, mask)


def token_ratios(
    logps: Float[Tensor, "answers tokens"],
    old: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
) -> Float[Tensor, "answers tokens"]:
    """How much likelier each token has become since it was sampled, exp(log pi - log old); 1 where masked."""
    return torch.where(mask, logps - old.detach(), 0.0).exp()


def clipped_tokens(
    logps: Float[Tensor, "answers tokens"],
    old: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    advantages: Float[Tensor, "answers _"],
    *,
    low: float,
    high: float,
) -> Float[Tensor, "answers tokens"]:
    """PPO's loss of every token: no gradient where the ratio has already gone further than it may, in A's direction.

    -min(r A, clip(r, 1 - low, 1 + high) A), r = exp(log pi - log old); 0 where masked

    Args:
        logps: log pi of each token, nats, with gradient.
        old: the same as sampled, without gradient.
        mask: the answer's tokens.
        advantages: of each token, or one for a whole answer.
        low, high: >= 0; PPO has 0.2 both, DAPO (arXiv:2503.14476) 0.2 and 0.28.
    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7.
    """
    require(0 <= low <= 1 and high >= 0, "low and high", (low, high), "0 <= low <= 1 and high >= 0")
    ratio = token_ratios(logps, old, mask)
    worth = advantages.detach()
    each = -torch.minimum(ratio * worth, ratio.clamp(1 - low, 1 + high) * worth)
    return torch.where(mask, each, 0.0)


def ppo_loss(
    logps: Float[Tensor, "answers tokens"],
    old: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    advantages: Float[Tensor, "answers _"],
    *,
    low: float,
    high: float,
    reduce: Reduce,
) -> Float[Tensor, " answers"]:
    """`clipped_tokens`, reduced. With advantages of the group it is GRPO's loss, Shao et al. 2024, arXiv:2402.03300."""
    return reduce(clipped_tokens(logps, old, mask, advantages, low=low, high=high), mask)


def rloo_loss(
    logps: Float[Tensor, "answers tokens"],
    old: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    advantages: Float[Tensor, " answers"],
    *,
    low: float,
    high: float,
) -> Float[Tensor, " answers"]:
    """The clipped loss with one ratio for the whole answer, which is taken as a single action.

    -min(r A, clip(r, 1 - low, 1 + high) A), r = exp(sum of log pi - log old)

    On fresh samples its gradient is REINFORCE's with `answer_sum`.

    Args: as for `clipped_tokens`; advantages: of `leave_one_out`, of rewards from which a KL (k1) may have been taken.
    Source: Ahmadian et al. 2024, arXiv:2402.14740, sec. 2; the clip is TRL's.
    """
    whole = torch.where(mask, logps - old.detach(), 0.0).sum(1, keepdim=True)
    nothing, always = torch.zeros_like(whole), torch.ones_like(whole, dtype=torch.bool)
    return clipped_tokens(whole, nothing, always, advantages.unsqueeze(1), low=low, high=high).squeeze(1)


def value_loss(
    values: Float[Tensor, "answers tokens"],
    old: Float[Tensor, "answers tokens"],
    returns: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    *,
    clip: float | None,
    reduce: Reduce,
) -> Float[Tensor, " answers"]:
    """How wrong a critic was, squared; `clip`: moving further than this from what it said at sampling earns nothing.

    reduce(1/2 max((V - R)^2, (old + clip(V - old, -clip, clip) - R)^2))

    Args:
        values: the critic's, of the text before each token, with gradient.
        old: the same at the time of sampling.
        returns: of `generalised_advantages`, with the old values.
        mask: the answer's tokens.
        clip: above 0, in units of reward, or None.
    Source: Schulman et al. 2016, arXiv:1506.02438, sec. 5; the clip as in OpenAI baselines' PPO2.
    """
    require(clip is None or clip > 0, "clip", clip, "above 0, or None")
    wanted, before = (torch.where(mask, one.detach(), 0.0) for one in (returns, old))
    own = torch.where(mask, values, 0.0)
    error = (own - wanted) ** 2
    if clip is not None:
        error = torch.maximum(error, (before + (own - before).clamp(-clip, clip) - wanted) ** 2)
    return reduce(error / 2, mask)
