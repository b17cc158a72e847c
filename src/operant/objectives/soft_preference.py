"""The loss of a pair whose label is a probability: an answer is the better one so and so often."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from operant.errors import require


def soft_dpo_loss(
    first: Float[Tensor, " pairs"], second: Float[Tensor, " pairs"], label: Float[Tensor, " pairs"], *, beta: float
) -> Float[Tensor, " pairs"]:
    """Surprise of the policy's implied ranking at a label that is a probability: DPO on it and on its opposite, mixed.

    label * -log sigmoid(m) + (1 - label) * -log sigmoid(-m), m = beta * (first - second)

    Least at m = log(label / (1 - label)); the gradient in m is sigmoid(m) - label.

    Args:
        first: log pi(y|x) - log ref(y|x), nats, summed over answer tokens.
        second: the same for the other answer.
        label: P(the first is better), 0 to 1, without gradient. 1 is `dpo_loss`, 0 the same on the swapped pair.
        beta: > 0, per nat.
    Returns: nats per pair; log 2 where the policy has no opinion, whatever the label.
    Source: Rosset et al. 2024, DNO, arXiv:2404.03715, alg. 1, with label sigmoid(r(first) - r(second));
        Wang et al. 2024, CREAM, arXiv:2410.12735, with the consistency of two rankers as label.
    """
    require(beta > 0, "beta", beta, "a number above 0")
    margin = beta * (first - second)
    return -label * F.logsigmoid(margin) - (1 - label) * F.logsigmoid(-margin)
