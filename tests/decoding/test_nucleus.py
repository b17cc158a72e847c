"""Top-p: which tokens stay by hand, and that answers are those of the plain sampler where nothing is cut."""

from math import inf, log

import pytest
from torch import tensor

import tiny
from operant.decoding.nucleus import Nucleus, nucleus, nucleus_answers
from operant.engine.rollouts import Asked
from operant.errors import BadValue
from operant.models.text import encode_prompt
from operant.schema import Decoding

PROMPTS = tiny.graded().prompts("test")[:4]


def answers(prompts=PROMPTS, **how):
    base = tiny.base()
    asked = [Asked(prompt, encode_prompt(base.tokenizer, prompt)) for prompt in prompts]
    count = how.pop("n", 3)
    return nucleus_answers(base.module, base.tokenizer, asked, n=count, how=Nucleus(**{"max_tokens": 6, **how}), seed=5)


@pytest.mark.parametrize("top_p, kept", [(0.4, [1]), (0.5, [1]), (0.6, [1, 3]), (0.85, [1, 3, 0]), (1.0, [0, 1, 2, 3])])
def test_what_stays_by_hand(top_p, kept):
    # p = 0.125, 0.5, 0.0625, 0.3125: in order 1, 3, 0, 2, with 0.5, 0.8125, 0.9375, 1 up to there
    logits = tensor([[log(0.125), log(0.5), log(0.0625), log(0.3125)]])
    left = nucleus(logits, top_p=top_p)[0]
    assert sorted(kept) == [place for place in range(4) if left[place] > -inf]
    assert all(left[place] == logits[0, place] for place in kept)


def test_with_all_tokens_it_is_the_plain_sampler():
    plain = tiny.base().answer(PROMPTS, n=3, decoding=Decoding(max_tokens=6), seed=5)
    assert [[one.tokens for one in many] for many in answers()] == [[one.tokens for one in many] for many in plain]


def test_a_small_share_is_greedy():
    greedy = tiny.base().answer(PROMPTS, n=1, decoding=Decoding(max_tokens=6, temperature=0.0), seed=5)
    for many, (one,) in zip(answers(top_p=1e-6), greedy, strict=True):
        assert {drawn.tokens for drawn in many} == {one.tokens}


def test_the_temperature_comes_before_the_cut():
    # p = 0.6, 0.4 and top_p 0.55: one token stays. At temperature 10 they are nearly even, and both do.
    logits = tensor([[log(0.6), log(0.4)]])
    assert (nucleus(logits, top_p=0.55) > -inf).sum() == 1
    assert (nucleus(logits / 10, top_p=0.55) > -inf).sum() == 2


def test_other_prompts_change_nothing():
    alone, among = answers(PROMPTS[2:3], top_p=0.9)[0], answers(top_p=0.9)[2]
    assert [one.tokens for one in alone] == [one.tokens for one in among]


def test_nonsense_is_refused():
    for name, value in (("top_p", 0.0), ("top_p", 1.5), ("temperature", 0.0), ("n", 0)):
        with pytest.raises(BadValue, match=name):
            answers(**{name: value})
