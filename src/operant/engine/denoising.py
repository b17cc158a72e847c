"""Pictures out of noise, under a condition and away from an empty one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from operant.models.denoiser import Condition, Denoiser

ROWS = 32  # computed at once


@torch.no_grad()
def denoised(
    denoiser: Denoiser, noise: Float[Tensor, "rows channels high wide"], wanted: Condition, empty: Condition,
    *, steps: int, guidance: float, scales: Sequence[float] = (),
) -> Float[Tensor, "rows channels high wide"]:  # fmt: skip
    """One picture for each row of noise, along the scheduler's own steps.

    What is predicted is empty + guidance * (wanted - empty); at guidance 1 the empty condition is not asked.

    Args: scales: of the gated layers at each step; none: 1 throughout.
    Source: Ho and Salimans 2022, arXiv:2207.12598, eq. 6.
    """
    starts = range(0, len(noise), ROWS)
    made = [
        _batch(denoiser, noise[at : at + ROWS], wanted.rows(at, at + ROWS), empty.rows(at, at + ROWS), steps, guidance,
               scales or (1.0,) * steps)
        for at in starts
    ]  # fmt: skip
    return torch.cat(made)


def _batch(
    denoiser: Denoiser, noise: Tensor, wanted: Condition, empty: Condition, steps: int, guidance: float,
    scales: Sequence[float],
) -> Tensor:  # fmt: skip
    scheduler = type(denoiser.scheduler).from_config(denoiser.scheduler.config)  # it remembers where it is
    scheduler.set_timesteps(steps)
    guided = guidance != 1
    condition = wanted.and_(empty) if guided else wanted
    noisy = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for time, scale in zip(scheduler.timesteps, scales, strict=True):
        rows = torch.cat([noisy, noisy]) if guided else noisy
        found = denoiser.predict(rows, time.expand(len(rows)), condition, scale=scale)
        if guided:
            with_, without = found.chunk(2)
            found = without + guidance * (with_ - without)
        noisy = scheduler.step(found, time, noisy, return_dict=False)[0]
    return noisy
