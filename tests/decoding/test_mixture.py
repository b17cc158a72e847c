"""A mixture of policies: its law by hand, who answers, and that it survives the disk."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

import tiny
from operant.decoding.mixture import Mixture, mixed_logps
from operant.errors import BadValue
from operant.models.loading import PLAIN

PROMPTS = tiny.graded().prompts("test")


def another():
    twin = tiny.base().snapshot()
    with torch.no_grad():
        for weight in twin.module.parameters():
            weight.mul_(1.5)
    return twin


def test_a_token_s_probability_by_hand():
    # two parts; first token 0.8 and 0.2: mean 0.5. Second 0.5 and 0.1: (0.8 0.5 + 0.2 0.1) / 2 = 0.21, over 0.5
    got = mixed_logps([[log(0.8), log(0.5)], [log(0.2), log(0.1)]])
    assert got == pytest.approx((log(0.5), log(0.21 / 0.5)))
    assert exp(sum(got)) == pytest.approx((0.8 * 0.5 + 0.2 * 0.1) / 2)


def test_equal_parts_are_that_part():
    base = tiny.base()
    mixture = Mixture([base, base])
    drawn = mixture.answer(PROMPTS, n=2, decoding=tiny.DECODING, seed=3)
    assert drawn == base.answer(PROMPTS, n=2, decoding=tiny.DECODING, seed=3)
    first = [many[0] for many in drawn]
    for ours, theirs in zip(mixture.logps(PROMPTS, first), base.logps(PROMPTS, first), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert mixture.kl(base, PROMPTS, first).values == pytest.approx([0.0] * len(PROMPTS), abs=1e-5)


def test_each_part_answers_about_equally_often():
    base, other = tiny.base(), another()
    drawn = Mixture([base, other]).answer(PROMPTS, n=30, decoding=tiny.DECODING, seed=0)
    ours = base.answer(PROMPTS, n=30, decoding=tiny.DECODING, seed=0)
    theirs = other.answer(PROMPTS, n=30, decoding=tiny.DECODING, seed=0)
    flat = [(a, b, c) for three in zip(drawn, ours, theirs, strict=True) for a, b, c in zip(*three, strict=True)]
    assert all(one in (a, b) for one, a, b in flat)
    share = sum(one == a != b for one, a, b in flat) / sum(a != b for _, a, b in flat)
    assert 0.3 < share < 0.7  # 180 draws: a standard deviation of 0.04


def test_it_survives_the_disk(tmp_path):
    mixture = Mixture([tiny.base(), another(), tiny.base()])
    mixture.save(tmp_path)
    again = Mixture.load(tmp_path, PLAIN)
    told = {"n": 2, "decoding": tiny.DECODING, "seed": 1}
    assert again.answer(PROMPTS, **told) == mixture.answer(PROMPTS, **told)
    assert [point.value for point in again.points()] == [1.0, 2.0, 3.0]


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(BadValue, match="policies"):
        Mixture([])
