"""Pairs that belong together against all other pairs of the batch."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def info_nce(
    left: Float[Tensor, "pairs width"], right: Float[Tensor, "pairs width"], *, temperature: float
) -> Float[Tensor, " pairs"]:
    """Surprise that a vector's partner is its partner, from both sides.

    With s_ij = cos(left_i, right_j) / temperature: the mean of -log softmax_j(s_i.)_i and -log softmax_j(s_.i)_i.

    Returns: nats per pair, >= 0; log of the number of pairs where all are alike.
    Source: van den Oord et al. 2018, arXiv:1807.03748; symmetric as in Radford et al. 2021, arXiv:2103.00020.
    """
    alike = F.normalize(left, dim=-1) @ F.normalize(right, dim=-1).T / temperature
    partners = torch.arange(len(left), device=left.device)
    return (
        F.cross_entropy(alike, partners, reduction="none") + F.cross_entropy(alike.T, partners, reduction="none")
    ) / 2


def nt_xent(
    left: Float[Tensor, "pairs width"], right: Float[Tensor, "pairs width"], *, temperature: float
) -> Float[Tensor, " pairs"]:
    """The same with every other vector of the batch against, those of the own side too.

    Returns: nats per pair, the mean of its two sides.
    Source: SimCLR, Chen et al. 2020, arXiv:2002.05709, eq. 1.
    """
    both = F.normalize(torch.cat([left, right]), dim=-1)
    alike = both @ both.T / temperature
    alike = alike.masked_fill(torch.eye(len(both), dtype=torch.bool, device=both.device), float("-inf"))
    partners = torch.arange(len(both), device=both.device).roll(len(left))
    return F.cross_entropy(alike, partners, reduction="none").view(2, -1).mean(0)
