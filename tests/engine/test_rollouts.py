"""Answers to learn from: what is kept of them, and what they may cost."""

import pytest

import tiny
from operant.engine.logps import all_logps
from operant.engine.recompute import recomputing
from operant.engine.rollouts import Asked, rollout_flops, rollouts
from operant.meter import metered
from operant.models.text import encode_prompt

TOKENIZER = tiny.base().tokenizer
ASKED = [Asked(prompt, encode_prompt(TOKENIZER, prompt)) for prompt in tiny.graded().prompts("train")[:3]]


def drawn(seed=0, max_tokens=8):
    return rollouts(tiny.base().module, TOKENIZER, ASKED, n=4, max_tokens=max_tokens, seed=seed)


def test_what_they_were_drawn_with_is_what_the_policy_says_of_them():
    found = [one for many in drawn() for one in many]
    again = all_logps(tiny.base().module, [one.row for one in found], pad=0)
    for one, logps in zip(found, again, strict=True):
        assert one.old == pytest.approx(logps, abs=1e-5)
        assert one.row.answer == one.answer.tokens and one.old == one.answer.logps


def test_answers_to_a_prompt_read_it_as_it_was_asked():
    for one, many in zip(ASKED, drawn(), strict=True):
        assert {row.row.prompt for row in many} == {one.ids} and len(many) == 4


def test_the_seed_decides():
    assert drawn(seed=1) == drawn(seed=1) != drawn(seed=2)


def test_none_costs_more_than_was_priced():
    # random weights hardly ever stop early, so the price is nearly reached: EOS is one of about a hundred tokens
    module = tiny.base().module
    for max_tokens in (1, 8):
        with metered() as cost:
            drawn(max_tokens=max_tokens)
        price = rollout_flops(module, ASKED, n=4, max_tokens=max_tokens)
        assert 0.7 * price < cost.flops <= price


def test_layers_that_recompute_are_read_with_their_cache():
    module = tiny.base().snapshot().module
    plain = rollouts(module, TOKENIZER, ASKED, n=2, max_tokens=6, seed=0)
    with recomputing(module):
        again = rollouts(module, TOKENIZER, ASKED, n=2, max_tokens=6, seed=0)
        assert any(layer.training for layer in module.modules())  # and they recompute again afterwards
    assert [one.row for many in plain for one in many] == [one.row for many in again for one in many]
