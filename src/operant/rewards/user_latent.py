"""Nets of user-latent rewards: who a user is, read off a few of their comparisons, and what such a user likes.

Everything works on vectors of texts that a frozen language model made. Poddar et al. 2024, arXiv:2408.10075.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Knows = Literal["user", "group", "nothing"]  # what a reward hangs on beside the text
DAMPING = 1e-3  # of the mean variance over directions
BOUND = 1.0  # means and log-variances are held within -1 to 1


class Gaussian(NamedTuple):
    """A belief about users, [users, latent]."""

    mean: Tensor
    log_variance: Tensor


@dataclass(frozen=True, kw_only=True)
class Shape:
    width: int  # of a text's vector
    hidden: int
    latent: int
    outputs: int = 1  # numbers for each answer: 1 a reward, more a distribution of it
    knows: Knows = "user"
    groups: int = 0  # where it knows the group
    compares: bool = False  # reads two answers at once, and says which is better, instead of a reward for each
    learnt_prior: bool = False


def mlp(width: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers, as in the authors' code."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


class UserEncoder(nn.Module):
    """Comparisons of one user to a belief about them. Their order says nothing, and saying all twice changes nothing.

    Which answer won is told by its place alone; a label beside it would say the same again.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.pair = mlp(2 * shape.width, shape.hidden, shape.latent)
        self.query, self.key, self.value = (nn.Linear(shape.latent, shape.latent) for _ in range(3))
        self.mean, self.log_variance = (nn.Linear(shape.latent, shape.latent) for _ in range(2))
        prior = torch.zeros(2, shape.latent)
        self.prior = nn.Parameter(prior) if shape.learnt_prior else nn.Buffer(prior)

    def forward(self, chosen: Tensor, rejected: Tensor, mask: Tensor) -> Gaussian:
        """[users, comparisons, width] each, and which comparisons are there; without any, the prior."""
        pairs = self.pair(torch.cat([chosen, rejected], -1))
        scores = self.query(pairs) @ self.key(pairs).transpose(-1, -2) / math.sqrt(pairs.shape[-1])
        some = mask.any(-1, keepdim=True)
        seen = mask | ~some  # a softmax over nothing would be NaN
        weights = scores.masked_fill(~seen[:, None, :], -math.inf).softmax(-1)
        read = (weights @ self.value(pairs) * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        mean, log_variance = (layer(read).clamp(-BOUND, BOUND) for layer in (self.mean, self.log_variance))
        prior = self.prior[:, None].expand(2, *mean.shape)
        return Gaussian(torch.where(some, mean, prior[0]), torch.where(some, log_variance, prior[1]))


class UserReward(nn.Module):
    """Rewards of answers for a user; without users, or with their group given, the baselines of the same size."""

    def __init__(self, shape: Shape, *, seed: int):
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng(devices=[]):  # layers draw from the global generator
            torch.manual_seed(seed)
            known = 0 if shape.knows == "nothing" else shape.latent
            self.encoder = UserEncoder(shape) if shape.knows == "user" else None
            self.group = nn.Embedding(shape.groups, shape.latent) if shape.knows == "group" else None
            self.decoder = mlp((2 if shape.compares else 1) * shape.width + known, shape.hidden, shape.outputs)
        self.centre, self.whiten = nn.Buffer(torch.zeros(shape.width)), nn.Buffer(torch.eye(shape.width))

    def fit_scale(self, features: Tensor) -> None:
        """Whiten: texts' vectors differ most where it matters least, and what tells them apart hides in what is left.

        Directions of next to no spread are damped, not blown up.
        """
        self.centre.copy_(features.mean(0))
        values, directions = torch.linalg.eigh(torch.cov((features - self.centre).double().T))
        damped = (values.clamp(min=0) + DAMPING * values.mean()).rsqrt()
        self.whiten.copy_((directions * damped).to(features.dtype))

    def scaled(self, features: Tensor) -> Tensor:
        return (features - self.centre) @ self.whiten

    def infer(self, chosen: Tensor, rejected: Tensor, mask: Tensor) -> Gaussian:
        """Beliefs from comparisons: scaled vectors [users, comparisons, width]."""
        assert self.encoder is not None
        found: Gaussian = self.encoder(chosen, rejected, mask)
        return found

    def decode(self, features: Tensor, latent: Tensor | None) -> Tensor:
        """[rows, outputs] from scaled vectors [rows, width] and latents [rows, latent]."""
        found: Tensor = self.decoder(features if latent is None else torch.cat([features, latent], -1))
        return found

    def lead(self, left: Tensor, right: Tensor, latent: Tensor | None) -> Tensor:
        """[rows] logit of P(left is better for this user); the negative of it with the sides swapped."""
        if self.shape.compares:
            both = self.decode(torch.cat([left, right], -1), latent) - self.decode(torch.cat([right, left], -1), latent)
            return both[:, 0]
        return self.decode(left, latent)[:, 0] - self.decode(right, latent)[:, 0]

    def encoding_flops(self) -> float:
        """Of reading one comparison, forward."""
        return _flops(self.encoder)

    def decoding_flops(self) -> float:
        """Of one pass of the decoder over one row, forward."""
        return _flops(self.decoder)


def on_sphere(latent: Tensor) -> Tensor:
    """[rows, latent] of length sqrt(latent): what a standard normal has, so that no user is nearer to the middle."""
    return F.normalize(latent, dim=-1) * math.sqrt(latent.shape[-1])


def drawn(belief: Gaussian, noise: Tensor) -> Tensor:
    """Latents drawn from beliefs with standard normal noise, on the sphere."""
    return on_sphere(belief.mean + (0.5 * belief.log_variance).exp() * noise)


def _flops(part: nn.Module | None) -> float:
    """2 x weights: what a multiply-add counts."""
    layers = [] if part is None else [layer for layer in part.modules() if isinstance(layer, nn.Linear)]
    return 2.0 * sum(layer.weight.numel() for layer in layers)
