"""A policy that is trained fit after fit: what it was, what it may spend, and imitation as its loss."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

import tiny
from operant.engine.logps import all_logps, answer_logps
from operant.errors import OperantError
from operant.loops.imitation import imitating_loss
from operant.loops.student import Student, left, share_of
from operant.meter import metered
from operant.training.budgeted import Fit, Stage
from operant.training.demonstrations import demonstration_rows
from operant.training.pairs import pass_flops

SETTINGS = Fit(learning_rate=1e-3, epochs=1)


def flat(module):
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


@pytest.fixture
def taught(tiny_bench):
    """A student after two fits, and its weights at first and after each."""
    student = Student(tiny_bench(epochs=30))
    rows, seen = demonstration_rows(student.bench), [flat(student.policy.module)]
    for name in ("one", "two"):
        student.fit(rows, imitating_loss(pad=0), SETTINGS, pass_flops, stage=Stage(name=name, share=0.3))
        seen.append(flat(student.policy.module))
    return student, seen


def test_fits_go_on_from_each_other_and_leave_the_base(taught):
    student, seen = taught
    assert torch.equal(seen[0], flat(tiny.base().module))
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    rows = demonstration_rows(student.bench)
    likelihoods = [
        sum(map(sum, all_logps(student.after(fits).module, rows, pad=0))) for fits in range(3)
    ]  # fmt: skip
    assert likelihoods[0] < likelihoods[1] < likelihoods[2]


def test_what_it_was_can_be_looked_at_and_is_put_back(taught):
    student, seen = taught
    for fits in range(3):
        with student.as_after(fits) as policy:
            assert torch.equal(flat(policy.module), seen[fits])
        assert torch.equal(flat(student.policy.module), seen[2])
        assert torch.equal(flat(student.after(fits).module), seen[fits])
    with pytest.raises(OperantError), student.as_after(1):
        raise OperantError("something goes wrong inside")
    assert torch.equal(flat(student.policy.module), seen[2])


def test_its_checkpoints_are_the_ends_of_its_fits(taught):
    student, seen = taught
    points = student.finished().points()
    assert [point.value for point in points] == [3.0, 6.0]  # 24 rows, 8 a step, once each
    assert all(torch.equal(flat(point.generator.module), one) for point, one in zip(points, seen[1:], strict=True))


def test_shares_of_what_is_left(tiny_bench):
    with metered():
        bench = tiny_bench()
        whole = left(bench)
        # a quarter of the budget is spent of an allowance of half: a quarter of the whole is left of it
        assert share_of(bench, whole / 2, spent=whole / 4) == pytest.approx(1 / 4)
        assert share_of(bench, 2 * whole, spent=0.0) == 1.0


def test_imitation_is_the_likelihood_per_token_of_the_batch():
    rows, module = demonstration_rows_of_the_task()[:3], tiny.base().module
    values = imitating_loss(pad=0)(module, rows[:2], rows)
    found = answer_logps(module, rows[:2], pad=0)
    tokens = sum(len(row.answer) for row in rows)
    assert_close(values, -found.sums * len(rows) / tokens)


def demonstration_rows_of_the_task():
    from operant.models.text import encode

    pairs = tiny.graded().pairs("train")
    return encode(tiny.base().tokenizer, [pair.prompt for pair in pairs], [pair.chosen for pair in pairs])
