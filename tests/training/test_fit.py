"""One loop: what a step is, in what order data comes, what is kept, what is refused."""

import math
from collections import Counter

import pytest
import torch

from models.architectures import PAD, random_rows, tiny
from operant.engine.logps import answer_logps
from operant.engine.policy import LanguageModel
from operant.errors import BadValue, OperantError
from operant.training.fit import fit
from operant.training.track import watched
from operant.training.update import Schedule


class Scalar(torch.nn.Module):
    """One weight, in double precision so that sums in another order agree."""

    def __init__(self, value=0.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(value, dtype=torch.float64))


def language_loss(module):
    def loss(part, whole):
        assert len(whole) >= len(part)
        return -answer_logps(module, part, pad=PAD).sums

    return loss


def seen_by(schedule, items, tmp_path):
    """Items in the order in which the loss gets them."""
    module, seen = Scalar(), []

    def loss(part, whole):
        seen.extend(part)
        return module.weight * torch.ones(len(part), dtype=torch.float64)

    fit(module, items, loss, schedule, tmp_path)
    return seen


def test_a_step_is_the_mean_over_its_items_however_they_are_split(tmp_path):
    # loss of item x: (w - x)^2. At w = 0 its mean over 1..8 is 204/8; the step then depends on the mean gradient only.
    ends = {}
    for parts in (1, 2, 4, 8):
        module = Scalar()

        def loss(part, whole, net=module):
            return (net.weight - torch.tensor(part, dtype=torch.float64)) ** 2

        schedule = Schedule(steps=5, learning_rate=0.1, batch_size=8, accumulate=parts)
        fitted = fit(module, range(1, 9), loss, schedule, tmp_path / str(parts))
        assert fitted.losses[0] == pytest.approx(204 / 8)
        ends[parts] = (float(module.weight.detach()), fitted.losses)
    for parts in (2, 4, 8):
        assert ends[parts][0] == pytest.approx(ends[1][0], rel=1e-12)
        assert ends[parts][1] == pytest.approx(ends[1][1], rel=1e-12)


def test_accumulation_changes_nothing_for_a_language_model(tmp_path):
    rows = [row for row in random_rows(20) if row.answer][:8]
    ends = []
    for parts in (1, 8):
        module = LanguageModel(*tiny("llama")).snapshot().module
        schedule = Schedule(steps=3, learning_rate=1e-3, batch_size=8, accumulate=parts)
        fitted = fit(module, rows, language_loss(module), schedule, tmp_path / str(parts))
        ends.append((module.state_dict(), fitted.losses))
    (ours, losses), (theirs, others) = ends
    assert losses == pytest.approx(others, rel=1e-6) and losses[2] < losses[0]
    for name, value in ours.items():
        # AdamW divides by the gradient's size, so where that is near 0 rounding shows: mean, not maximum.
        assert float((value - theirs[name]).abs().mean()) < 1e-6


def test_the_rate_rises_and_falls_in_straight_lines(tmp_path):
    # A constant gradient moves AdamW by exactly the learning rate. 10 steps, 2 of them warm-up:
    # 1/2, 1, then (10 - step) / 8 for step 2..9, so 8/8 down to 1/8.
    module, places = Scalar(), [0.0]
    schedule = Schedule(steps=10, learning_rate=0.1, warmup=0.2)
    with watched(lambda values, step: places.append(float(module.weight.detach()))):
        fit(module, [1], lambda part, whole: module.weight.expand(1), schedule, tmp_path)
    moved = [one - two for one, two in zip(places, places[1:], strict=False)]
    rates = [0.5, 1.0] + [(10 - step) / 8 for step in range(2, 10)]
    assert moved == pytest.approx([0.1 * rate for rate in rates], rel=1e-6)


def test_the_gradient_is_clipped_to_its_norm(tmp_path):
    # AdamW ignores scale, except through epsilon: gradient g moves it by rate * g / (g + 1e-8).
    moved = {}
    for most in (1.0, 1e-8):
        module = Scalar()
        schedule = Schedule(steps=1, learning_rate=0.1, max_grad_norm=most)
        fit(module, [1], lambda part, whole, net=module: 5 * net.weight.expand(1), schedule, tmp_path / str(most))
        moved[most] = -float(module.weight.detach())
    assert moved[1.0] == pytest.approx(0.1) and moved[1e-8] == pytest.approx(0.1 * 0.5, rel=1e-4)


def test_every_epoch_is_a_permutation_that_seed_and_epoch_decide(tmp_path):
    items = list(range(12))
    seen = seen_by(Schedule(steps=9, learning_rate=1.0, batch_size=4, seed=1), items, tmp_path / "a")
    epochs = [seen[:12], seen[12:24], seen[24:]]
    assert all(sorted(epoch) == items for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] and epochs[0] != items
    # neither the size of a batch, nor its parts, nor the number of steps changes the order
    other = Schedule(steps=5, learning_rate=0.1, batch_size=6, accumulate=3, seed=1)
    assert seen_by(other, items, tmp_path / "b") == seen[:30]
    assert seen_by(Schedule(steps=3, learning_rate=1.0, batch_size=4, seed=2), items, tmp_path / "c") != epochs[0]
    # 5 does not divide 12: an epoch goes on in the next batch, and nothing is left out
    ragged = seen_by(Schedule(steps=12, learning_rate=1.0, batch_size=5, seed=1), items, tmp_path / "d")
    assert ragged[:30] == seen[:30] and set(Counter(ragged).values()) == {5}


def test_fewer_items_than_a_batch_are_one_batch(tmp_path):
    seen = seen_by(Schedule(steps=2, learning_rate=1.0, batch_size=8), ["a", "b", "c"], tmp_path)
    assert sorted(seen[:3]) == sorted(seen[3:]) == ["a", "b", "c"] and len(seen) == 6


@pytest.mark.parametrize(
    "steps, points, expected",
    # evenly spaced, rounded up, the last one included: 10 / 4 = 2.5, 5, 7.5, 10
    [(10, 4, [3, 5, 8, 10]), (10, 1, [10]), (10, 0, []), (3, 5, [1, 2, 3]), (9, 3, [3, 6, 9])],
)
def test_points_are_evenly_spaced(steps, points, expected, tmp_path):
    module = Scalar()
    schedule = Schedule(steps=steps, learning_rate=0.1, points=points)
    fitted = fit(module, [1], lambda part, whole: module.weight.expand(1), schedule, tmp_path)
    assert list(fitted.checkpoints) == expected
    assert all(path.is_file() and path.suffix == ".safetensors" for path in fitted.checkpoints.values())


@pytest.mark.parametrize("tied", [True, False])
def test_points_are_the_weights_of_their_step(tied, tmp_path):
    model = LanguageModel(*tiny("llama", tied=tied)).snapshot()
    rows, at = [row for row in random_rows(12) if row.answer], {}

    def remember(values, step):
        at[step] = {name: value.clone() for name, value in model.module.state_dict().items()}

    schedule = Schedule(steps=4, learning_rate=1e-2, batch_size=4, points=2)
    with watched(remember):
        fitted = fit(model.module, rows, language_loss(model.module), schedule, tmp_path)
    trained = LanguageModel(model.module, model.tokenizer, checkpoints=fitted.checkpoints)
    assert [point.value for point in trained.points()] == [2.0, 4.0]
    for point in trained.points():
        loaded = point.generator.module
        assert all(torch.equal(value, at[int(point.value)][name]) for name, value in loaded.state_dict().items())
        assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) == tied
    assert not torch.equal(at[2]["lm_head.weight"], at[4]["lm_head.weight"])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_a_number_stops(wrong, tmp_path):
    module = Scalar()
    losses = iter([1.0, 1.0, wrong])
    with pytest.raises(OperantError, match=r"the loss is (nan|inf) at step 3 of 5; lower the learning rate"):
        fit(
            module, [1], lambda part, whole: module.weight.expand(1) * 0 + next(losses),
            Schedule(steps=5, learning_rate=0.1), tmp_path,
        )  # fmt: skip


def test_a_gradient_that_is_not_a_number_stops_before_it_is_used(tmp_path):
    # the slope of sqrt at 0 is infinite, though its value is not; clipping would turn it into NaN weights
    module = Scalar()
    schedule = Schedule(steps=1, learning_rate=0.1)
    with pytest.raises(OperantError, match="the norm of the gradient is (nan|inf) at step 1 of 1"):
        fit(module, [1], lambda part, whole: module.weight.expand(1).sqrt(), schedule, tmp_path)
    assert float(module.weight.detach()) == 0.0


def test_what_cannot_be_trained_on_is_refused(tmp_path):
    module, schedule = Scalar(), Schedule(steps=1, learning_rate=0.1)
    with pytest.raises(BadValue, match="training items is 0; expected at least one"):
        fit(module, [], lambda part, whole: module.weight.expand(0), schedule, tmp_path)
    with pytest.raises(AssertionError, match="one value per item"):
        fit(module, [1, 2], lambda part, whole: module.weight, schedule, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"learning_rate": 0.0}, {"batch_size": 0}, {"accumulate": 3}, {"accumulate": 0}, {"warmup": 1.5},
     {"points": -1}, {"save_every": -1}, {"max_grad_norm": 0.0}],
)  # fmt: skip
def test_schedules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(BadValue, match=next(iter(wrong))):
        Schedule(**{"steps": 1, "learning_rate": 0.1} | wrong)


def test_dropout_is_off_and_the_model_is_left_clean(tmp_path):
    # GPT-2 has dropout of 0.1 by default: two fits would differ
    ends = []
    for place in range(2):
        module = LanguageModel(*tiny("gpt2")).snapshot().module.train()
        rows = [row for row in random_rows(12) if row.answer]
        fit(module, rows, language_loss(module), Schedule(steps=2, learning_rate=1e-3), tmp_path / str(place))
        assert not module.training and all(weight.grad is None for weight in module.parameters())
        ends.append(module.state_dict())
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
