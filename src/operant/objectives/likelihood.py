"""Surprise of a policy at given answers. The three differ in how a long answer counts against a short one."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from operant.ops import masked_mean, masked_sum


def answer_nll_sum(
    logps: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"]
) -> Float[Tensor, " answers"]:
    """-log pi(y|x): the surprise at the whole answer, so long answers weigh more.

    Args:
        logps: log pi of each token given what stands before it, nats.
        mask: the answer's tokens: neither prompt nor padding.
    Returns: nats per answer, >= 0.
    """
    return -masked_sum(logps, mask)


def answer_nll_mean(
    logps: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"]
) -> Float[Tensor, " answers"]:
    """-log pi(y|x) / |y|: the surprise at a token of this answer, so every answer weighs the same.

    Args: as for `answer_nll_sum`.
    Returns: nats per token, >= 0; NaN for an answer without tokens.
    """
    return -masked_mean(logps, mask)


def answer_nll_batch_mean(
    logps: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    *,
    batch_tokens: int | Int[Tensor, ""],
    batch_examples: int | Int[Tensor, ""],
) -> Float[Tensor, " answers"]:
    """The answer's part in the mean over all answer tokens of a batch, so every token weighs the same.

    -log pi(y|x) * batch_examples / batch_tokens

    Its mean over the batch is (summed surprise) / (tokens), however the batch is cut for gradient accumulation.

    Args:
        logps, mask: as for `answer_nll_sum`.
        batch_tokens: answer tokens in the whole accumulated batch.
        batch_examples: answers in it.
    Returns: nats per token, once averaged over the batch.
    """
    return -masked_sum(logps, mask) * batch_examples / batch_tokens
