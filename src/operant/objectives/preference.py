"""Losses on pairs of answers to one prompt, of which a judge chose one."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from operant.errors import require


def dpo_loss(
    chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"], *, beta: float
) -> Float[Tensor, " pairs"]:
    """Surprise of the policy's implied ranking at the judge's choice.

    -log sigmoid(beta * (chosen - rejected))

    Args:
        chosen: log pi(y|x) - log ref(y|x), nats, summed over answer tokens.
        rejected: the same for the answer that lost.
        beta: > 0, per nat.
    Returns: nats per pair, >= 0; log 2 where the policy has no opinion.
    Source: Rafailov et al. 2023, arXiv:2305.18290, eq. 7.
    """
    require(beta > 0, "beta", beta, "a number above 0")
    return -F.logsigmoid(beta * (chosen - rejected))


def rpo_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    imitation: Float[Tensor, " pairs"],
    *,
    beta: float,
    weight: float,
) -> Float[Tensor, " pairs"]:
    """DPO, held to answers that the data cover: the best policy against the worst reward that fits the pairs.

    dpo_loss(chosen, rejected) + weight * imitation

    Args:
        chosen, rejected, beta: as for `dpo_loss`.
        imitation: surprise at the baseline policy's answers (usually the chosen ones). The paper's is
            `answer_nll_sum`; `answer_nll_batch_mean` is what TRL's loss "sft" does, hundreds of times smaller for
            long answers; `answer_nll_mean` is that of Iterative RPO (Pang et al. 2024), which is another method.
        weight: >= 0, the whole factor of the imitation (the paper's eta times beta); 0 is DPO.
    Returns: nats per pair.
    Source: Liu et al. 2024, arXiv:2405.16436, the RPO objective. Published: beta 0.01, weight 0.005.
    """
    require(weight >= 0, "weight", weight, "a number of at least 0")
    return dpo_loss(chosen, rejected, beta=beta) + weight * imitation
