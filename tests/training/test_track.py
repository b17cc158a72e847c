"""What is watched: the loop's own values, what losses note, averaged over a step however it is split."""

import pytest
import torch

from operant.training.fit import fit
from operant.training.track import means, note, note_pairs, noting, watched
from operant.training.update import Schedule


class Scalar(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))


def watch(schedule, tmp_path):
    """Values of every step of a fit whose loss is (w - x)^2 and notes its items."""
    module, seen = Scalar(), []

    def loss(part, whole):
        items = torch.tensor(part, dtype=torch.float64)
        note({"items/mean": items})
        return (module.weight - items) ** 2

    with watched(lambda values, step: seen.append((step, values))):
        fitted = fit(module, [1.0, 2.0, 3.0, 6.0], loss, schedule, tmp_path)
    return fitted, seen


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_step_reports_the_mean_over_its_items(parts, tmp_path):
    schedule = Schedule(steps=2, learning_rate=0.1, batch_size=4, accumulate=parts, warmup=0.0)
    fitted, seen = watch(schedule, tmp_path)
    assert [step for step, _ in seen] == [1, 2]
    first = seen[0][1]
    # at w = 0: loss (1 + 4 + 9 + 36) / 4, gradient -2 x 3, the items' mean 3
    assert first["loss"] == pytest.approx(50 / 4) == fitted.losses[0]
    assert first["grad_norm"] == pytest.approx(6.0)
    assert first["items/mean"] == pytest.approx(12 / 4)
    assert first["learning_rate"] == pytest.approx(0.1)


def test_pairs_are_noted_under_trls_names():
    with watched(lambda values, step: None), noting() as found:
        note_pairs(torch.tensor([3.0, -2.0]), torch.tensor([1.0, 4.0]), beta=0.5)
    # rewards 1.5, -1 and 0.5, 2: means 0.25 and 1.25, margins 1 and -3, one of two right
    assert means([found]) == {
        "rewards/chosen": 0.25, "rewards/rejected": 1.25, "rewards/margins": -1.0, "rewards/accuracies": 0.5,
    }  # fmt: skip


def test_nobody_watches_and_nothing_is_kept():
    with noting() as found:
        note_pairs(torch.tensor([3.0]), torch.tensor([1.0]), beta=0.5)
    assert found == {}
