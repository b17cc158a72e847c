"""Texts as vectors: the mean by hand, whatever stands beside them."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

import tiny
from operant.engine.embed import embeddings
from operant.errors import BadValue
from operant.meter import metered
from operant.models.text import Encoded

ROWS = [Encoded((5, 6), (7, 8, 9)), Encoded((4,), (9,)), Encoded((5, 6, 7, 8), (10, 11, 12, 13))]


def found(rows=ROWS, **more):
    return embeddings(tiny.base().module, tiny.base().tokenizer, rows, **more)


def test_later_tokens_count_more():
    # two tokens: (1 * state_1 + 2 * state_2) / 3, of the states that transformers itself returns
    with torch.no_grad():
        last = tiny.base().module.model(input_ids=torch.tensor([[4, 9]])).last_hidden_state[0]
    assert_close(found()[1], (last[0] + 2 * last[1]) / 3, atol=1e-5, rtol=1e-5)


def test_layer_0_is_the_words_themselves():
    words = tiny.base().module.get_input_embeddings().weight.detach()
    assert_close(found(layer=0)[1], (words[4] + 2 * words[9]) / 3)
    with pytest.raises(BadValue, match="one of -2 to 1"):
        found(layer=2)


def test_what_stands_beside_a_text_changes_nothing():
    alone = torch.cat([found([row]) for row in ROWS])
    assert_close(found(), alone, atol=1e-5, rtol=1e-5)
    assert_close(found(ROWS[::-1]), alone.flip(0), atol=1e-5, rtol=1e-5)


def test_it_is_charged_as_a_pass_without_gradient():
    with metered() as cost:
        found()
    assert cost.forward_flops > 0 and cost.backward_flops == 0
