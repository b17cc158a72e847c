"""The loss of imitation by hand."""

from __future__ import annotations

import pytest
import torch

import tiny
from operant.loops.imitation import imitating_loss
from operant.models.text import Encoded

ROWS = [Encoded((5, 6), (7, 8, 9)), Encoded((5,), (10,))]


def test_its_mean_is_the_mean_over_all_tokens():
    module = tiny.base().module
    total = 0.0
    for row in ROWS:
        ids = torch.tensor([[*row.prompt, *row.answer]])
        with torch.no_grad():
            logps = module(ids).logits[0].log_softmax(-1)
        first = len(row.prompt)
        total -= sum(float(logps[at - 1, ids[0, at]]) for at in range(first, ids.shape[1]))
    with torch.no_grad():
        found = imitating_loss(pad=0)(module, ROWS, ROWS)
    assert found.shape == (2,)
    assert float(found.mean()) == pytest.approx(total / (3 + 1), abs=1e-4)
