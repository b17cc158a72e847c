"""Losses that fit a reward model to judgements that come in grades: how strong a preference is, how good an answer."""

from jaxtyping import Float
from torch import Tensor

from operant.objectives.reward import bradley_terry_loss


def scaled_bradley_terry_loss(
    chosen: Float[Tensor, " pairs"], rejected: Float[Tensor, " pairs"], *, strength: Float[Tensor, " pairs"]
) -> Float[Tensor, " pairs"]:
    """Bradley-Terry, as if a pair stood in the data as often as its preference is strong.

    -strength * log sigmoid(chosen - rejected)

    The gradient with respect to the lead d is -strength * (1 - sigmoid(d)): unlike a margin it stops pushing where the
    rewards are far apart, and leaves the optimum of each pair, the log odds of its verdicts, where it was. Take the
    mean over pairs: divided by the sum of strengths, a batch of strong pairs would count no more than one of weak ones.

    Args:
        chosen, rejected: rewards of the two answers, logits.
        strength: of each preference, >= 0; 1 gives the plain loss.
    Returns: nats per pair, times its strength.
    Source: Wang et al. 2024 (HelpSteer2-Preference), arXiv:2410.01257.
    """
    return strength * bradley_terry_loss(chosen, rejected)


def rating_loss(predicted: Float[Tensor, " answers"], rating: Float[Tensor, " answers"]) -> Float[Tensor, " answers"]:
    """Squared error of a predicted rating, in the unit of the ratings squared.

    (predicted - rating)^2

    Source: Wang et al. 2024 (HelpSteer2-Preference), arXiv:2410.01257.
    """
    return (predicted - rating) ** 2
