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


def arm_loss(
    chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"], *, beta: float, smoothing: float = 0.0
) -> Float[Tensor, " pairs"]:
    """Surprise at the judge's choice of a reward that is itself a language model's log-likelihood.

    -log sigmoid(beta * (chosen - rejected)), mixed with the opposite choice where labels are doubted

    Args:
        chosen: log pi_r(y|x), nats, summed over answer tokens, EOS included; no reference, no length normalisation.
        rejected: the same for the answer that lost.
        beta: > 0, per nat.
        smoothing: share of labels taken to be wrong, at least 0 and below 1/2.
    Returns: nats per pair; log 2 for two equal answers.
    Source: Xu et al. 2024, GenARM, arXiv:2410.08193, eq. 7.
    """
    return smoothed_dpo_loss(chosen, rejected, beta=beta, smoothing=smoothing)


def token_dpo_loss(
    chosen: Float[Tensor, " pairs"],
    rejected: Float[Tensor, " pairs"],
    chosen_kl: Float[Tensor, " pairs"],
    rejected_kl: Float[Tensor, " pairs"],
    *,
    beta: float,
) -> Float[Tensor, " pairs"]:
    """DPO with a KL term of every token beside its reward; either may be weighed token by token beforehand.

    -log sigmoid(beta * ((chosen - rejected) - (chosen_kl - rejected_kl)))

    Args:
        chosen: sum over tokens of mask * (log pi(y_t) - log ref(y_t)), nats, for the answer that won.
        rejected: the same for the answer that lost.
        chosen_kl: sum over tokens of mask * (-KL(ref || pi) at that token), nats, so at most 0.
        rejected_kl: the same for the answer that lost.
        beta: > 0, per nat; it scales both terms.
    Returns: nats per pair. With all masks 1 it is TDPO-1; with the KL masks 0, `dpo_loss`.
    Source: Christopoulou et al. 2024, SparsePO, arXiv:2410.05102, eq. 6; Zeng et al. 2024, arXiv:2404.11999.
    """
    return dpo_loss(chosen - chosen_kl, rejected - rejected_kl, beta=beta)


def smoothed_dpo_loss(
    chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"], *, beta: float, smoothing: float
) -> Float[Tensor, " pairs"]:
    """DPO for labels of which a known share is taken to be wrong.

    (1 - smoothing) * dpo_loss(chosen, rejected) + smoothing * dpo_loss(rejected, chosen)

    Args:
        chosen, rejected, beta: as for `dpo_loss`.
        smoothing: at least 0 and below 1/2; 0 is DPO.
    Returns: nats per pair.
    Source: Mitchell 2023, A note on DPO with noisy preferences and relationship to IPO.
    """
    require(0 <= smoothing < 0.5, "smoothing", smoothing, "at least 0 and below 0.5")
    right = dpo_loss(chosen, rejected, beta=beta)
    return right if smoothing == 0 else (1 - smoothing) * right + smoothing * dpo_loss(rejected, chosen, beta=beta)
