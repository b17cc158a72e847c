"""What a variational method pays for knowing something: the KL of a posterior to its prior, and how it is annealed."""

import math

from jaxtyping import Float
from torch import Tensor

from operant.errors import require


def gaussian_kl(
    mean: Float[Tensor, "rows latent"],
    log_variance: Float[Tensor, "rows latent"],
    *,
    prior_mean: Float[Tensor, " latent"],
    prior_log_variance: Float[Tensor, " latent"],
) -> Float[Tensor, " rows"]:
    """KL(N(mean, diag variance) || N(prior mean, diag prior variance)), summed over dimensions.

    1/2 * sum(prior log variance - log variance - 1 + (variance + (mean - prior mean)^2) / prior variance)

    Returns: nats per row, >= 0. Source: Kingma and Welling 2013, arXiv:1312.6114, appendix B. The control half of the
    code of arXiv:2408.10075 leaves the factor 1/2 out.
    """
    gap = (log_variance.exp() + (mean - prior_mean) ** 2) / prior_log_variance.exp()
    return 0.5 * (prior_log_variance - log_variance - 1 + gap).sum(-1)


def cyclical_cosine(step: int, *, period: int, floor: float) -> float:
    """Weight of a KL term: from `floor` up to 1 along half a cosine, over and over, so that a latent is used first.

    floor + (1 - floor) * (1 - cos(pi * s / period)) / 2, where s is the step within its period.

    Source: Fu et al. 2019, arXiv:1903.10145, with the cosine of the code of arXiv:2408.10075.
    """
    require(period >= 1, "period", period, "at least 1 step")
    require(0 <= floor <= 1, "floor", floor, "between 0 and 1")
    rise = (1 - math.cos(math.pi * (step % period) / period)) / 2
    return floor + (1 - floor) * rise
