"""Pictures out of noise: guidance by hand, rows that do not see each other, scales that silence layers."""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch.testing import assert_close

from operant.engine.denoising import denoised
from operant.meter import metered
from operant.models.denoiser import Condition, Denoiser


class Flow(Denoiser):
    """Predicts the first number of its caption everywhere, and what its layers would add."""

    def __init__(self):
        super().__init__(torch.nn.Identity(), FlowMatchEulerDiscreteScheduler())
        self.asked = []

    def predict(self, noisy, times, condition, *, scale=1.0):
        self.asked.append((len(noisy), round(float(times[0])), scale))
        return condition.context[:, 0, 0, None, None, None].expand_as(noisy) + noisy * 0


def captions(*values):
    return Condition(torch.tensor(values)[:, None, None], torch.ones(len(values), 1))


def test_guidance_by_hand():
    # flow = empty + g * (wanted - empty), the same all the way from time 1 to 0: clean = noise - flow
    noise, flow = torch.zeros(2, 1, 1, 1), Flow()
    made = denoised(flow, noise, captions(1.0, 3.0), captions(0.5, 0.5), steps=4, guidance=3.0)
    assert_close(made.flatten(), -torch.tensor([0.5 + 3 * 0.5, 0.5 + 3 * 2.5]))
    assert [count for count, *_ in flow.asked] == [4] * 4  # both conditions at once
    flow = Flow()
    made = denoised(flow, noise, captions(1.0, 3.0), captions(0.5, 0.5), steps=4, guidance=1.0, scales=(1, 1, 0.5, 0))
    assert_close(made.flatten(), -torch.tensor([1.0, 3.0]))
    assert [(count, scale) for count, _, scale in flow.asked] == [(2, 1), (2, 1), (2, 0.5), (2, 0)]
    assert [time for _, time, _ in flow.asked] == sorted((time for _, time, _ in flow.asked), reverse=True)


def test_more_rows_than_fit_at_once_are_the_same_rows():
    rows = 40
    wanted, empty = captions(*map(float, range(rows))), captions(*[0.0] * rows)
    made = denoised(Flow(), torch.zeros(rows, 1, 1, 1), wanted, empty, steps=2, guidance=2.0)
    assert_close(made.flatten(), -2 * torch.arange(rows).float())


def test_scales_that_are_not_one_a_step_are_ours_to_mend():
    with pytest.raises(ValueError, match="zip"), metered():
        denoised(Flow(), torch.zeros(1, 1, 1, 1), captions(1.0), captions(0.0), steps=3, guidance=1.0, scales=(1, 1))
