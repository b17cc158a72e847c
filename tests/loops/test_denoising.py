"""What is drawn for a picture depends on its seed alone; losses and their price are those of the process."""

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from torch.testing import assert_close

from operant.loops.denoising import Draws, denoising_losses
from operant.meter import metered
from operant.models.denoiser import Condition, Denoiser, Passes


class Nothing(Denoiser):
    """Predicts nothing, and remembers what it was shown."""

    def __init__(self, scheduler):
        super().__init__(torch.nn.Identity(), scheduler)

    def predict(self, noisy, times, condition, *, scale=1.0):
        self.shown = (noisy, times)
        return torch.zeros_like(noisy)

    def price(self, noisy, condition):
        return Passes(5.0, 7.0)


CLEAN = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
PLAIN = Condition(torch.zeros(3, 1, 1), torch.ones(3, 1))


def drawn(seed):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand((), generator=rng), torch.randn(2, 4, 4, generator=rng)


@pytest.mark.parametrize("kind", ["flow", "epsilon", "v_prediction", "sample"])
def test_the_loss_is_the_square_of_what_should_have_been_predicted(kind):
    scheduler = FlowMatchEulerDiscreteScheduler() if kind == "flow" else DDIMScheduler(prediction_type=kind)
    made = Nothing(scheduler)
    with metered() as cost:
        losses = denoising_losses(made, CLEAN, PLAIN, [4, 5, 6])
    for row, seed in enumerate((4, 5, 6)):
        time, noise = drawn(seed)
        kept = scheduler.alphas_cumprod[int(time * 1000)] if kind != "flow" else time
        weight = (kept / (1 - kept)).clamp(1.0, 5.0)
        wanted = {"flow": noise - CLEAN[row], "epsilon": noise, "sample": weight.sqrt() * CLEAN[row],
                  "v_prediction": kept.sqrt() * noise - (1 - kept).sqrt() * CLEAN[row]}[kind]  # fmt: skip
        assert_close(losses[row], wanted.square().mean())
    assert cost.backward_flops == 3 * 7.0


def test_a_row_is_drawn_by_its_seed_alone():
    made = Nothing(FlowMatchEulerDiscreteScheduler())
    whole = denoising_losses(made, CLEAN, PLAIN, [4, 5, 6])
    assert_close(denoising_losses(made, CLEAN[1:2], PLAIN.rows(1, 2), [5]), whole[1:2])


def test_items_come_again_under_new_noise():
    draws = Draws("ab", times=3, seed=0)
    assert len(draws) == 6
    assert [one.item for one in draws[:]] == list("ababab")
    assert len({one.seed for one in draws[:]}) == 6
    assert draws[3] == Draws("ab", times=3, seed=0)[3] != Draws("ab", times=3, seed=1)[3]
