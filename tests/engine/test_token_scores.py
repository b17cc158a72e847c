"""A number for every answer token, read where the token is predicted."""

import pytest
import torch
from torch.testing import assert_close

import tiny
from operant.engine.token_scores import token_score_flops, token_scores
from operant.meter import metered
from operant.models.heads import new_reward_head, score_layer
from operant.models.text import Encoded

ROWS = [Encoded((5, 6, 7), (8, 9, 10, 11)), Encoded((5, 6, 7), (12,)), Encoded((13,), (14, 15))]


@pytest.fixture
def head():
    return new_reward_head(tiny.base().module, tiny.base().tokenizer, rng=torch.Generator().manual_seed(0))


def test_each_token_is_scored_by_what_stands_before_it(head):
    got = token_scores(head, ROWS, pad=0)
    for place, row in enumerate(ROWS):
        # plain: the whole text alone, states at the last prompt token and at every answer token but the last
        states = head.model(input_ids=torch.tensor([row.prompt + row.answer])).last_hidden_state[0]
        own = score_layer(head)(states)[len(row.prompt) - 1 : -1, 0]
        assert_close(got.scores[place, : len(row.answer)], own, atol=1e-5, rtol=1e-4)
        assert got.mask[place].sum() == len(row.answer) and not got.scores[place, len(row.answer) :].any()


def test_a_token_does_not_score_itself(head):
    other = [ROWS[0]._replace(answer=(8, 9, 10, 16))]
    assert_close(token_scores(head, other, pad=0).scores, token_scores(head, ROWS[:1], pad=0).scores)


def test_it_is_charged_as_priced_and_trains_body_and_layer(head):
    with metered() as cost:
        token_scores(head, ROWS, pad=0).scores.sum().backward()
    assert cost.flops == token_score_flops(head, ROWS)
    assert score_layer(head).weight.grad.any() and head.model.layers[0].mlp.up_proj.weight.grad.any()
