"""Attribution by gradients: shares of 1, against a numerical derivative, charged, and the weights untouched."""

from __future__ import annotations

import copy

import pytest
import torch

import tiny
from operant.errors import BadValue
from operant.meter import metered
from operant.models.text import Encoded
from operant.probes.attribution import mean_by_token, token_attribution

ROWS = [Encoded((5, 6, 7), (8, 9)), Encoded((10,), (11,)), Encoded((5, 5, 6, 7, 12), (8,))]
PAD = 0


def test_shares_sum_to_one_and_padding_changes_nothing():
    module = tiny.base().module
    together = token_attribution(module, ROWS, pad=PAD)
    for row, own in zip(ROWS, together, strict=True):
        assert len(own) == len(row.prompt)
        assert sum(own) == pytest.approx(1) and min(own) > 0
        assert token_attribution(module, [row], pad=PAD)[0] == pytest.approx(own, abs=1e-5)
    assert together[1] == (1.0,)


def test_it_is_the_derivative():
    module, row, step = copy.deepcopy(tiny.base().module).double(), ROWS[0], 1e-5
    embedded = module.get_input_embeddings()(torch.tensor([row.prompt + row.answer])).detach()

    def loss(moved):
        logits = module(inputs_embeds=moved).logits[0, len(row.prompt) - 1 : -1].log_softmax(-1)
        return -float(logits.gather(-1, torch.tensor(row.answer).unsqueeze(-1)).sum().detach())

    def slope(place, axis):
        up, down = embedded.clone(), embedded.clone()
        up[0, place, axis] += step
        down[0, place, axis] -= step
        return (loss(up) - loss(down)) / (2 * step)

    width = embedded.shape[-1]
    norms = [sum(slope(place, axis) ** 2 for axis in range(width)) ** 0.5 for place in range(len(row.prompt))]
    wanted = [norm / sum(norms) for norm in norms]
    assert token_attribution(module, [row], pad=PAD)[0] == pytest.approx(wanted, rel=1e-3)


def test_it_is_charged_and_leaves_the_model_alone():
    module = tiny.base().module
    with metered() as cost:
        token_attribution(module, ROWS, pad=PAD)
    assert cost.backward_flops == cost.forward_flops > 0
    assert all(weight.grad is None for weight in module.parameters())


def test_nothing_to_attribute_is_refused():
    with pytest.raises(BadValue, match="tokens of prompt and answer"):
        token_attribution(tiny.base().module, [Encoded((5,), ())], pad=PAD)


def test_means_by_token():
    means = mean_by_token([["a", "b"], ["a"]], [[0.25, 0.75], [1.0]])
    assert means == {"b": 0.75, "a": (0.25 + 1.0) / 2}
    assert list(means) == ["b", "a"]
