"""How values of tokens become one value an answer, whose mean over a batch is the loss. Said at every call, by name.

Which one is taken decides what a long answer weighs. Masked tokens may hold anything and get no gradient.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from operant.errors import require
from operant.ops import masked_sum

Reduce = Callable[[Float[Tensor, "answers tokens"], Bool[Tensor, "answers tokens"]], Float[Tensor, " answers"]]


def answer_sum(
    values: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"]
) -> Float[Tensor, " answers"]:
    """Every token weighs the same in every batch: REINFORCE as it is derived. Long answers weigh more."""
    return masked_sum(values, mask)


def answer_mean(
    values: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"]
) -> Float[Tensor, " answers"]:
    """Every answer weighs the same, so a token of a long one weighs less; 0 for an answer without tokens.

    Source: GRPO, Shao et al. 2024, arXiv:2402.03300, eq. 3.
    """
    return masked_sum(values, mask) / mask.sum(-1).clamp(min=1)


def batch_token_mean(
    values: Float[Tensor, "answers tokens"],
    mask: Bool[Tensor, "answers tokens"],
    *,
    batch_tokens: int | Int[Tensor, ""],
    batch_answers: int | Int[Tensor, ""],
) -> Float[Tensor, " answers"]:
    """Every token of a batch weighs the same, and the batch weighs 1.

    sum * batch_answers / batch_tokens, so that the mean over the batch's answers is its mean over tokens.

    Args: batch_tokens, batch_answers: of the whole accumulated batch, not of the part at hand.
    Source: DAPO, Yu et al. 2025, arXiv:2503.14476, eq. 8.
    """
    return masked_sum(values, mask) * batch_answers / batch_tokens


def length_mean(
    values: Float[Tensor, "answers tokens"], mask: Bool[Tensor, "answers tokens"], *, length: int
) -> Float[Tensor, " answers"]:
    """The sum over a constant, so that length changes no token's weight.

    Args: length: the most tokens that an answer may have.
    Source: Dr. GRPO, Liu et al. 2025, arXiv:2503.20783, sec. 3.2.
    """
    require(length >= 1, "length", length, "at least 1 token")
    return masked_sum(values, mask) / length
