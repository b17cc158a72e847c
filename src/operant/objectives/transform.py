"""What a reward becomes before it is maximised: log-sigmoid-centred, and the plain ways that it is compared with.

Infinite rewards are allowed; a result that is not a number raises and names the sample.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from operant.errors import BadValue, require


def log_sigmoid_centred(
    reward: Float[Tensor, " samples"], reference: Float[Tensor, " samples"]
) -> Float[Tensor, " samples"]:
    """Log-probability that the answer beats one whose reward is the reference.

    log sigmoid(reward - reference) = -softplus(reference - reward)

    Its slope is sigmoid(reference - reward): nearly 1 far below the reference, 1/2 at it, nearly 0 far above, so
    that poor answers are mended before good ones are pushed on.

    Args:
        reward: of a Bradley-Terry model, logits.
        reference: what counts as good for this prompt, on the same scale (a quantile of the base's rewards, or the
            reward of a canned answer); computed once and never from the policy that is being trained.
    Returns: nats, <= 0; -log 2 at the reference; -inf for a reward of -inf.
    Source: Wang et al. 2024, arXiv:2402.00742, the log-sigmoid-centred transformation.
    """
    return _known(-F.softplus(reference - reward))


def log_sigmoid_sum(
    rewards: Float[Tensor, "properties samples"], references: Float[Tensor, "properties samples"]
) -> Float[Tensor, " samples"]:
    """Log-probability that the answer is good in every property, these being independent: a logical AND.

    sum over i of log sigmoid(rewards_i - references_i)

    Source: Wang et al. 2024, arXiv:2402.00742, the combination by logical AND.
    """
    _some(rewards)
    return _known(-F.softplus(references - rewards).sum(0))


def raw_sum(
    rewards: Float[Tensor, "properties samples"], weights: Float[Tensor, " properties"]
) -> Float[Tensor, " samples"]:
    """The weighted sum, untransformed: a great lead in one property buys off any failure in another."""
    _some(rewards)
    return _known((weights[:, None] * rewards).sum(0))


def normalised_sum(
    rewards: Float[Tensor, "properties samples"],
    *,
    mean: Float[Tensor, " properties"],
    std: Float[Tensor, " properties"],
) -> Float[Tensor, " samples"]:
    """Sum of z-scores: each property shifted and scaled by its mean and deviation under the base policy."""
    _some(rewards)
    return _known(((rewards - mean[:, None]) / std[:, None]).sum(0))


def clipped(reward: Float[Tensor, " samples"], *, low: float, high: float) -> Float[Tensor, " samples"]:
    """The reward, cut to [low, high]: flat beyond, so nothing is learnt there."""
    require(low < high, "low", low, f"below high, which is {high}")
    return _known(reward.clamp(low, high))


def sigmoid_centred(
    reward: Float[Tensor, " samples"], reference: Float[Tensor, " samples"]
) -> Float[Tensor, " samples"]:
    """Probability that the answer beats the reference, without the log: flat above and below it alike."""
    return _known(torch.sigmoid(reward - reference))


def _some(rewards: Tensor) -> None:
    require(len(rewards) > 0, "rewards", f"a tensor of {len(rewards)} properties", "at least one property")


def _known(shaped: Float[Tensor, " samples"]) -> Float[Tensor, " samples"]:
    """Every step here carries NaN through and inf - inf makes one, so the result tells of all that is unknown."""
    unknown = torch.isnan(shaped).nonzero().flatten().tolist()
    if unknown:
        expected = "a number or an infinity; leave samples out whose reward or reference is unknown"
        raise BadValue(f"reward of sample {', '.join(map(str, unknown[:5]))}", float("nan"), expected)
    return shaped
