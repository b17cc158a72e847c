"""Rounds of imitation: what passes becomes likelier, the optimiser stays or goes, and rounds with nothing end it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

import tiny
from operant.errors import BadValue, OperantError
from operant.loops.sample_filter_fit import Filtered, sample_filter_fit
from operant.loops.student import left
from operant.meter import metered
from operant.models.text import encode
from operant.schema import Decoding

SETTINGS = Filtered(learning_rate=3e-3, rounds=2, steps=6, max_tokens=6)


def early(answer) -> int:
    """How many words come early in the alphabet."""
    return sum(word < "k" for word in str(answer.value).split())


def best(turn):
    """The best of four answers to every prompt."""
    prompts = tiny.Blind(knobs=tiny.KNOBS).prompts("train")
    policy = turn.student.policy
    drawn = policy.answer(prompts, n=4, decoding=Decoding(max_tokens=6), seed=turn.number)
    return encode(policy.tokenizer, prompts, [max(many, key=early) for many in drawn])


def mean_early(policy) -> float:
    drawn = policy.answer(tiny.graded().prompts("test"), n=16, decoding=tiny.DECODING, seed=9)
    return sum(early(one) for many in drawn for one in many) / (16 * len(drawn))


def flat(student):
    return torch.cat([weight.flatten() for weight in student.policy.module.parameters()])


def test_what_passes_becomes_likelier(tiny_bench):
    student = sample_filter_fit(tiny_bench(epochs=60), best, SETTINGS)
    means = [mean_early(student.after(fits)) for fits in range(3)]
    assert all(one < other for one, other in pairwise(means)), means
    assert list(student.ends) == [6, 12]


def test_the_optimiser_stays_or_begins_anew(tiny_bench):
    kept, fresh = (
        sample_filter_fit(tiny_bench(epochs=60), best, replace(SETTINGS, optimiser=how)) for how in ("kept", "fresh")
    )
    assert not torch.equal(flat(kept), flat(fresh))
    again = sample_filter_fit(tiny_bench(epochs=60), best, SETTINGS)
    assert torch.equal(flat(kept), flat(again))


def test_one_round_is_the_same_either_way(tiny_bench):
    one, other = (
        sample_filter_fit(tiny_bench(epochs=60), best, replace(SETTINGS, rounds=1, optimiser=how))
        for how in ("kept", "fresh")
    )
    assert torch.allclose(flat(one), flat(other), atol=1e-6)


def test_the_budget_is_kept_and_parted(tiny_bench):
    bench = tiny_bench(epochs=12)
    told = []

    def gather(turn):
        told.append((turn.allowance, left(bench)))
        return best(turn)

    with metered() as cost:
        sample_filter_fit(bench, gather, replace(SETTINGS, steps=None, sampling=0.3))
    assert 0.8 < bench.budget.share(cost) <= 1.0
    # a part is half of what is left in the first round and all of it in the second; 0.3 of it is for sampling
    assert [allowance / whole for allowance, whole in told] == pytest.approx([0.3 / 2, 0.3], rel=1e-3)


def test_rounds_that_would_be_too_small_are_left_out(tiny_bench):
    bench = tiny_bench(epochs=12)
    with metered():
        student = sample_filter_fit(bench, best, replace(SETTINGS, rounds=5), least=left(bench) / 2.5)
    assert len(student.ends) == 2


def test_a_round_without_answers_ends_it(tiny_bench):
    with pytest.raises(OperantError, match="round 1 of 2 left no answer to imitate"):
        sample_filter_fit(tiny_bench(), lambda _: [], SETTINGS)
    with pytest.warns(UserWarning, match="round 2 of 2 left no answer to imitate; the policy is that of the round"):
        student = sample_filter_fit(tiny_bench(), lambda turn: best(turn) if turn.number == 0 else [], SETTINGS)
    assert len(student.ends) == 1


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"steps": 0}, {"sampling": 0.0}, {"max_tokens": 0}])
def test_settings_outside_their_range_are_refused(settings):
    with pytest.raises(BadValue, match=next(iter(settings))):
        replace(SETTINGS, **settings)
