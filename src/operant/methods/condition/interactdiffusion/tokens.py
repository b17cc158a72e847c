"""Interactions as tokens: a phrase and a box for subject and object, and for the action the region between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from operant.conditioning.boxes import between_boxes, box_areas, checked_boxes, fourier_boxes, mirrored, union_boxes
from operant.conditioning.gated_parallel import xavier
from operant.errors import OperantError, require

Region = Literal["between", "union", "none"]  # what box an action gets; none: actions are no tokens, as in GLIGEN
FREQUENCIES = 8
ROLES = ("subject", "object", "action")


class Interactions(NamedTuple):
    """Who does what to whom in each picture; slots that the mask leaves out may hold anything."""

    subject_boxes: Float[Tensor, "rows slots 4"]  # left, top, right, bottom as shares of the picture
    object_boxes: Float[Tensor, "rows slots 4"]
    subjects: Float[Tensor, "rows slots words"]  # phrases, embedded
    objects: Float[Tensor, "rows slots words"]
    actions: Float[Tensor, "rows slots words"]
    mask: Bool[Tensor, "rows slots"]

    def none(self) -> Interactions:
        """The same without any interaction."""
        return self._replace(mask=torch.zeros_like(self.mask))

    def flipped(self) -> Interactions:
        """Of the pictures flipped from left to right."""
        return self._replace(subject_boxes=mirrored(self.subject_boxes), object_boxes=mirrored(self.object_boxes))

    def largest(self, most: int) -> Interactions:
        """Slots in order of the area of subject and object, the largest first; no more than `most` are kept."""
        areas = (box_areas(self.subject_boxes) + box_areas(self.object_boxes)).masked_fill(~self.mask, -1.0)
        order = areas.argsort(dim=1, descending=True, stable=True)[:, :most]
        rows = torch.arange(len(order))[:, None]
        return Interactions(*(one[rows, order] for one in self))

    def padded(self, slots: int) -> Interactions:
        """With empty slots behind, up to so many."""
        more = slots - self.mask.shape[1]
        return Interactions(*(F.pad(one, (0, 0) * (one.dim() - 2) + (0, more)) for one in self))


def checked(given: Interactions, *, most: int, words: int) -> Interactions:
    """The interactions, if they can be tokens: at most `most`, sound boxes, a phrase of the right width for each."""
    slots = given.mask.shape[1]
    if slots > most:
        raise OperantError(f"{slots} interactions in a picture; expected at most {most}: merge or drop some")
    for name, value in given._asdict().items():
        wide = () if name == "mask" else (4,) if name.endswith("boxes") else (words,)
        require(value.shape == (*given.mask.shape, *wide), f"shape of {name}", tuple(value.shape),
                f"{(*given.mask.shape, *wide)}, as the mask says")  # fmt: skip
    for name in ("subject_boxes", "object_boxes"):
        checked_boxes(getattr(given, name)[given.mask], what=f"one of {name}")
    for name in ("subjects", "objects", "actions"):
        silent = given.mask & (getattr(given, name) == 0).all(-1)
        require(not silent.any(), f"embedding of one of {name}", "0 throughout", "a phrase for every interaction")
    return given


class InteractionTokens(nn.Module):
    """Tokens of all subjects, then all actions, then all objects, each with who it belongs to and its role.

    Args:
        words: width of an embedded phrase.
        channels: width of a token.
        most: interactions in a picture.
        region: the box of an action.
        instances: whether tokens say to which interaction they belong.

    Source: InteractDiffusion, Hoe et al. 2024, arXiv:2312.05849, sec. 3.2 and 3.3, and its released code.
    """

    def __init__(
        self, words: int, channels: int, *, hidden: int, most: int, region: Region, instances: bool,
        rng: torch.Generator,
    ):  # fmt: skip
        super().__init__()
        self.words, self.most, self.region, self.instances = words, most, region, instances
        boxes = 8 * FREQUENCIES
        sizes = (words + boxes, hidden, hidden, channels)
        self.shared, self.acting = perceptron(sizes, rng=rng), perceptron(sizes, rng=rng)
        self.acting.load_state_dict(self.shared.state_dict())
        self.null_phrase, self.null_action = nn.Parameter(torch.zeros(words)), nn.Parameter(torch.zeros(words))
        self.null_box = nn.Parameter(torch.zeros(boxes))
        self.instance = nn.Parameter(0.02 * torch.randn(most, channels, generator=rng))
        self.role = nn.Parameter(0.02 * torch.randn(len(ROLES), channels, generator=rng))

    def forward(self, given: Interactions) -> Float[Tensor, "rows tokens channels"]:
        """[rows, 3 * most, channels], 2 * most where actions are no tokens."""
        given = given.padded(self.most)
        subjects = self._made(self.shared, given.subjects, self.null_phrase, given.subject_boxes, given.mask)
        objects = self._made(self.shared, given.objects, self.null_phrase, given.object_boxes, given.mask)
        made = [subjects + self.role[0], objects + self.role[1]]
        if self.region != "none":
            region = (between_boxes if self.region == "between" else union_boxes)(
                given.subject_boxes, given.object_boxes
            )
            actions = self._made(self.acting, given.actions, self.null_action, region, given.mask)
            made.insert(1, actions + self.role[2])
        return torch.cat(made, dim=1)

    def _made(self, net: nn.Module, phrases: Tensor, null: Tensor, boxes: Tensor, mask: Tensor) -> Tensor:
        there = mask[..., None]
        phrases = torch.where(there, phrases, null)
        places = torch.where(there, fourier_boxes(boxes, frequencies=FREQUENCIES), self.null_box)
        tokens = net(torch.cat([phrases, places], dim=-1))
        return tokens + self.instance if self.instances else tokens

    @property
    def flops(self) -> float:
        """Of one row, forward."""
        products = sum(weight.numel() for net in (self.shared, self.shared, self.acting) for weight in net.parameters()
                       if weight.dim() == 2)  # fmt: skip
        if self.region == "none":
            products -= sum(weight.numel() for weight in self.acting.parameters() if weight.dim() == 2)
        return 2.0 * self.most * products


def perceptron(sizes: Sequence[int], *, rng: torch.Generator) -> nn.Sequential:
    """Linear layers with SiLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [xavier(inputs, outputs, rng=rng), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def scales(schedule: Sequence[float], steps: int) -> tuple[float, ...]:
    """Of the gated layers at each step: 1 for the first share of steps, then linearly to 0, then 0."""
    whole, falling = int(schedule[0] * steps), int(schedule[1] * steps)
    down = [1 - (step + 1) / falling for step in range(falling)]
    return (*[1.0] * whole, *down, *[0.0] * (steps - whole - falling))
