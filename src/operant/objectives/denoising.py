"""What a denoiser learns to predict, and by how much it misses: noise, picture, velocity, or the flow between both."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "rows channels high wide"]
Each = Float[Tensor, " rows"]


def diffused(clean: Images, noise: Images, kept: Each) -> Images:
    """sqrt(kept) * clean + sqrt(1 - kept) * noise.

    Args: kept: alpha bar of each row's time, 1 where nothing is lost, 0 where only noise is left.
    Source: Ho et al. 2020, arXiv:2006.11239, eq. 4.
    """
    signal = _wide(kept)
    return signal.sqrt() * clean + (1 - signal).sqrt() * noise


def noise_loss(predicted: Images, noise: Images) -> Each:
    """Mean squared error of the predicted noise. Source: Ho et al. 2020, arXiv:2006.11239, eq. 14."""
    return _squared(predicted, noise)


def clean_loss(predicted: Images, clean: Images, kept: Each, *, most: float = 5.0) -> Each:
    """Mean squared error of the predicted picture, times the share of signal over that of noise, between 1 and `most`.

    Source: at least 1, Salimans and Ho 2022, arXiv:2202.00512, sec. 4 (truncated SNR): less would leave open what is
    decided under much noise, where things stand; at most 5, Hang et al. 2023, arXiv:2303.09556, sec. 3.4 (min-SNR).
    """
    return _squared(predicted, clean) * (kept / (1 - kept)).clamp(1.0, most)


def velocity(clean: Images, noise: Images, kept: Each) -> Images:
    """sqrt(kept) * noise - sqrt(1 - kept) * clean. Source: Salimans and Ho 2022, arXiv:2202.00512, appendix D."""
    signal = _wide(kept)
    return signal.sqrt() * noise - (1 - signal).sqrt() * clean


def velocity_loss(predicted: Images, clean: Images, noise: Images, kept: Each) -> Each:
    """Mean squared error of the predicted velocity."""
    return _squared(predicted, velocity(clean, noise, kept))


def straight(clean: Images, noise: Images, times: Each) -> Images:
    """(1 - time) * clean + time * noise, the straight way from data at time 0 to noise at time 1.

    Source: Liu et al. 2022, arXiv:2209.03003, eq. 1, whose time runs the other way.
    """
    share = _wide(times)
    return (1 - share) * clean + share * noise


def flow_loss(predicted: Images, clean: Images, noise: Images) -> Each:
    """Mean squared error of the predicted flow, noise - clean, which is the same all the way."""
    return _squared(predicted, noise - clean)


def _squared(predicted: Images, wanted: Images) -> Each:
    return (predicted - wanted).square().flatten(1).mean(-1)


def _wide(values: Each) -> Float[Tensor, "rows 1 1 1"]:
    return values[:, None, None, None]
