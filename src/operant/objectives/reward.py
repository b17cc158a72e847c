"""Losses that fit a reward model to judgements."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from operant.errors import require


def bradley_terry_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    *,
    margin: Float[Tensor, " pairs"] | None = None,
) -> Float[Tensor, " pairs"]:
    """Surprise at the judge's choice, when P(chosen wins) = sigmoid(chosen - rejected).

    -log sigmoid(chosen - rejected - margin)

    Args:
        chosen, rejected: rewards of the two answers, logits; only their difference counts.
        margin: by how much the chosen one should lead, logits; none is 0.
    Returns: nats per pair, >= 0; log 2 where the rewards differ by the margin.
    Source: Bradley and Terry 1952; Ouyang et al. 2022, arXiv:2203.02155, eq. 1; the margin: Touvron et al. 2023
    (Llama 2), arXiv:2307.09288, eq. 2.
    """
    lead = chosen - rejected
    return -F.logsigmoid(lead if margin is None else lead - margin)


def centred_bradley_terry_loss(
    chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"], *, weight: float
) -> Float[Tensor, " pairs"]:
    """Bradley-Terry, with the offset that it leaves free held near 0, so that rewards of several fits can be averaged.

    bradley_terry_loss(chosen, rejected) + weight * (chosen + rejected)^2

    Args:
        chosen, rejected: rewards of the two answers, logits.
        weight: >= 0, small (0.01).
    Returns: nats per pair.
    Source: Eisenstein et al. 2023, arXiv:2312.09244, eq. 3.
    """
    require(weight >= 0, "weight", weight, "0 or more")
    return bradley_terry_loss(chosen, rejected) + weight * (chosen + rejected) ** 2
