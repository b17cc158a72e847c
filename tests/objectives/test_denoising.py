"""What a denoiser learns, by hand and against diffusers' schedulers."""

import math

import torch
from torch import tensor
from torch.testing import assert_close

from operant.objectives.denoising import clean_loss, diffused, flow_loss, noise_loss, straight, velocity, velocity_loss


def one(value):
    return torch.full((1, 1, 1, 1), float(value))


def test_ways_from_data_to_noise_by_hand():
    # kept 0.64: sqrt(0.64) * 2 + sqrt(0.36) * 5 = 0.8 * 2 + 0.6 * 5
    assert_close(diffused(one(2), one(5), tensor([0.64])), one(0.8 * 2 + 0.6 * 5))
    # a quarter of the straight way: 0.75 * 2 + 0.25 * 5
    assert_close(straight(one(2), one(5), tensor([0.25])), one(0.75 * 2 + 0.25 * 5))
    assert_close(velocity(one(2), one(5), tensor([0.64])), one(0.8 * 5 - 0.6 * 2))


def test_losses_by_hand():
    clean, noise = tensor([2.0, 4.0]).view(1, 1, 1, 2), tensor([5.0, 3.0]).view(1, 1, 1, 2)
    guess = tensor([1.0, 1.0]).view(1, 1, 1, 2)
    assert_close(noise_loss(guess, noise), tensor([((1 - 5) ** 2 + (1 - 3) ** 2) / 2]))
    # kept 0.75: three parts of signal to one of noise; kept 0.9 would weigh 9, which is cut at 5, and 0.1 a ninth
    missed = ((1 - 2) ** 2 + (1 - 4) ** 2) / 2
    for kept, weight in ((0.75, 3.0), (0.9, 5.0), (0.1, 1.0)):
        assert_close(clean_loss(guess, clean, tensor([kept])), tensor([missed * weight]))
    assert_close(flow_loss(guess, clean, noise), tensor([((1 - (5 - 2)) ** 2 + (1 - (3 - 4)) ** 2) / 2]))
    wanted = [math.sqrt(0.5) * (5 - 2), math.sqrt(0.5) * (3 - 4)]
    found = velocity_loss(guess, clean, noise, tensor([0.5]))
    assert_close(found, tensor([sum((1 - value) ** 2 for value in wanted) / 2]))


def test_they_agree_with_diffusers():
    from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

    rng = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(4, 3, 2, 2, generator=rng), torch.randn(4, 3, 2, 2, generator=rng)
    scheduler, times = DDPMScheduler(), tensor([0, 10, 500, 999])
    kept = scheduler.alphas_cumprod[times]
    assert_close(diffused(clean, noise, kept), scheduler.add_noise(clean, noise, times))
    assert_close(velocity(clean, noise, kept), scheduler.get_velocity(clean, noise, times))
    flowing = FlowMatchEulerDiscreteScheduler()
    at = flowing.timesteps[[0, 10, 500, 999]]
    assert_close(straight(clean, noise, at / 1000), flowing.scale_noise(clean, at, noise))


def test_a_batch_of_another_row_changes_nothing():
    rng = torch.Generator().manual_seed(0)
    clean, noise, guess = (torch.randn(3, 1, 2, 2, generator=rng) for _ in range(3))
    assert_close(flow_loss(guess, clean, noise)[:1], flow_loss(guess[:1], clean[:1], noise[:1]))
