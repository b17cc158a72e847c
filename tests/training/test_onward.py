"""Several fits as one: step for step what one long fit does, and what a fresh optimiser would do otherwise."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from operant.meter import metered
from operant.training.fit import fit
from operant.training.onward import Span, fit_onward
from operant.training.update import Schedule

ITEMS = [torch.tensor([value, 1.0]) for value in (-1.0, 0.5, 2.0, 3.0)]
TARGET = 0.7


def net():
    torch.manual_seed(3)
    return torch.nn.Linear(2, 1)


def loss_of(module):
    def loss(part, whole):
        assert len(whole) == 2
        return ((module(torch.stack(list(part))).squeeze(-1) - TARGET) ** 2) * 0.5

    return loss


def schedule(steps, **more):
    told = {"learning_rate": 0.05, "batch_size": 2, "shuffled": False, **more}
    return Schedule(steps=steps, **told)


def weights(module):
    return torch.cat([weight.detach().flatten() for weight in module.parameters()])


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_parts_of_a_fit_are_the_fit(parts, tmp_path):
    # items in the order given, and as many in each part as make whole rounds of them
    whole = net()
    fit(whole, ITEMS, loss_of(whole), schedule(20), tmp_path / "whole")
    parted, before = net(), None
    for at in range(parts):
        span = Span(at / parts, (at + 1) / parts, before)
        path = fit_onward(parted, ITEMS, loss_of(parted), schedule(20 // parts), tmp_path / str(at), span=span)
        before = path.parent
    assert_close(weights(parted), weights(whole), atol=1e-6, rtol=0)
    assert path.is_file()


def test_a_fresh_optimiser_does_something_else(tmp_path):
    found = {}
    for name in ("kept", "fresh"):
        module, before = net(), None
        for at in range(2):
            span = Span(at / 2, (at + 1) / 2, before)
            before = fit_onward(
                module, ITEMS, loss_of(module), schedule(10), tmp_path / f"{name}{at}", span=span
            ).parent  # fmt: skip
            before = before if name == "kept" else None
        found[name] = weights(module)
    assert (found["kept"] - found["fresh"]).abs().max() > 1e-4


def test_what_it_costs_is_charged_once(tmp_path):
    from operant.meter import charge

    module = net()

    def loss(part, whole):
        charge(forward_flops=len(part))
        return loss_of(module)(part, whole)

    with metered() as cost:
        fit_onward(module, ITEMS, loss, schedule(3), tmp_path / "fit", span=Span(0.0, 1.0))
    assert cost.forward_flops == 3 * 2
