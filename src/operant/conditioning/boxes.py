"""Boxes as numbers that a net can hear, and the region between two of them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from operant.errors import OperantError

Boxes = Float[Tensor, "*rows 4"]  # left, top, right, bottom as shares of the picture, 0 to 1


def checked_boxes(boxes: Boxes, *, what: str) -> Boxes:
    """The boxes, if each lies in the picture and is not empty."""
    left, top, right, bottom = boxes.unbind(-1)
    sound = (left >= 0) & (top >= 0) & (left < right) & (top < bottom) & (right <= 1) & (bottom <= 1)
    if not sound.all():
        wrong = [round(value, 4) for value in boxes[~sound][0].tolist()]
        raise OperantError(
            f"{what} is {wrong}; expected left < right and top < bottom, as shares of the picture between 0 and 1"
        )
    return boxes


def between_boxes(one: Boxes, other: Boxes) -> Boxes:
    """In each direction the middle two of the four coordinates: the overlap, or the gap where there is none.

    Source: InteractDiffusion, Hoe et al. 2024, arXiv:2312.05849, sec. 3.2.
    """
    coordinates = torch.stack([one, other], dim=-2)  # [*rows, 2, 4]
    xs = coordinates[..., 0::2].flatten(-2).sort(-1).values
    ys = coordinates[..., 1::2].flatten(-2).sort(-1).values
    return torch.stack([xs[..., 1], ys[..., 1], xs[..., 2], ys[..., 2]], dim=-1)


def union_boxes(one: Boxes, other: Boxes) -> Boxes:
    """The smallest box around both."""
    return torch.cat([torch.minimum(one, other)[..., :2], torch.maximum(one, other)[..., 2:]], dim=-1)


def box_areas(boxes: Boxes) -> Float[Tensor, "*rows"]:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def mirrored(boxes: Boxes) -> Boxes:
    """Where they lie once the picture is flipped from left to right."""
    left, top, right, bottom = boxes.unbind(-1)
    return torch.stack([1 - right, top, 1 - left, bottom], dim=-1)


def fourier_boxes(boxes: Boxes, *, frequencies: int = 8) -> Float[Tensor, "*rows features"]:
    """[..., 8 * frequencies]: for each frequency the sines of the four coordinates, then their cosines.

    Frequency k is 100 ** (k / frequencies), without a factor of 2 pi.

    Source: GLIGEN, Li et al. 2023, arXiv:2301.07093, sec. 3.1, and its released code.
    """
    bands = 100.0 ** (torch.arange(frequencies) / frequencies)
    angles = bands[:, None] * boxes[..., None, :]  # [..., frequencies, 4]
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
