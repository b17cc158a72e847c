"""What a denoiser loses on pictures, at times and under noise drawn for each: the loss for `fit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from operant.disk import answer_seed
from operant.meter import charge
from operant.models.denoiser import Condition, Denoiser, Process
from operant.objectives.denoising import clean_loss, diffused, flow_loss, noise_loss, straight, velocity_loss

TIMES = 1000  # of a scheduler


class Draw(NamedTuple):
    """An item to learn from, and the seed of what is drawn for it."""

    item: Any
    seed: int


class Draws(Sequence[Draw]):
    """Items again and again, each time under new noise; only what is asked for is made."""

    def __init__(self, items: Sequence[Any], *, times: int, seed: int):
        self.items, self.times, self.seed = items, times, seed

    def __len__(self) -> int:
        return len(self.items) * self.times

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        time, at = divmod(place, len(self.items))
        return Draw(self.items[at], answer_seed(self.seed, "noise", at, time) % 2**62)


def denoising_losses(
    denoiser: Denoiser, clean: Float[Tensor, "rows channels high wide"], condition: Condition, seeds: Sequence[int]
) -> Float[Tensor, " rows"]:
    """Squared error of what the denoiser predicts at one uniform time a row; metered, the pass back too."""
    times, noise = _drawn(clean, seeds)
    if denoiser.process == "flow":
        steps = times * TIMES
        predicted = denoiser.predict(straight(clean, noise, times), steps, condition)
        losses = flow_loss(predicted, clean, noise)
    else:
        steps = (times * len(denoiser.kept)).long()
        kept = denoiser.kept[steps]
        predicted = denoiser.predict(diffused(clean, noise, kept), steps, condition)
        losses = _missed(denoiser.process, predicted, clean, noise, kept)
    charge(backward_flops=denoiser.price(clean, condition).backward * len(clean))
    return losses


def _missed(process: Process, predicted: Tensor, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    if process == "sample":
        return clean_loss(predicted, clean, kept)
    return velocity_loss(predicted, clean, noise, kept) if process == "v_prediction" else noise_loss(predicted, noise)


def _drawn(clean: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Times in [0, 1) and noise, each row from its own seed."""
    times, noise = [], []
    for seed, one in zip(seeds, clean, strict=True):
        rng = torch.Generator().manual_seed(seed)
        times.append(torch.rand((), generator=rng))
        noise.append(torch.randn(one.shape, generator=rng))
    return torch.stack(times), torch.stack(noise)
