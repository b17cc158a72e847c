"""More of a reward, held to the base: what an answer is worth by hand, and that the KL holds."""

from __future__ import annotations

import pytest
import torch

import tiny
from operant.errors import BadValue
from operant.loops.regularised import held, regularised
from operant.loops.rounds import Kept, Round, RoundFit
from operant.models.text import Encoded
from operant.schema import Score

SETTINGS = RoundFit(learning_rate=3e-3, batch_size=4, group=4, max_tokens=6, points=0)


class Wanted:
    """How often a word is said."""

    def score(self, prompts, answers):
        assert len(prompts) == len(answers)
        return [Score(value=float(str(answer.value).split().count("the"))) for answer in answers]


def mean_reward(policy):
    prompts = tiny.graded().prompts("test")
    drawn = policy.answer(prompts, n=16, decoding=tiny.DECODING, seed=9)
    scores = [one.value for many in drawn for one in Wanted().score(prompts[:1] * len(many), many)]
    return sum(scores) / len(scores)


def kl(policy):
    prompts = tiny.graded().prompts("test")
    drawn = [many[0] for many in policy.answer(prompts, n=1, decoding=tiny.DECODING, seed=9)]
    values = policy.kl(tiny.base(), prompts, drawn).values
    return sum(values) / len(values)


def kept(reward, old, reference):
    return Kept(Encoded((1,), (5, 6)), old, reference, reward, 0.0)


def test_what_an_answer_is_worth_by_hand():
    # log pi - log ref: -1 - 1 + 3 = 1 and -2 + 2 = 0; at 0.5 a nat rewards 3 - 0.5 and 1; each above the other
    one, two = kept(3.0, (-1.0, -1.0), (-2.0, -1.0)), kept(1.0, (-1.0, -1.0), (-1.0, -1.0))
    alone = kept(9.0, (-1.0, -1.0), (-1.0, -1.0))
    worth = held(Round(0, ((one, two), (alone,), ()), 0.0), 0.5)
    assert [worth[id(each)] for each in (one, two, alone)] == pytest.approx([1.5, -1.5, 0.0])
    assert held(Round(0, ((one, two),), 0.0), 0.0)[id(one)] == pytest.approx(2.0)


def test_the_reward_rises_and_a_price_for_kl_holds_it(tiny_bench):
    free, dear = (regularised(tiny_bench(epochs=20), Wanted(), SETTINGS, weight=weight).policy for weight in (0.0, 5.0))
    assert mean_reward(free) > mean_reward(dear) + 0.1
    assert mean_reward(free) > 2 * mean_reward(tiny.base()) + 0.2
    assert kl(free) > 5 * kl(dear) > 0


def test_on_the_prompts_that_are_given_alone(tiny_bench):
    bench = tiny_bench()
    prompts, asked = bench.task.prompts("train")[:2], set()

    class Noting(Wanted):
        def score(self, prompts, answers):
            asked.update(prompt.id for prompt in prompts)
            return super().score(prompts, answers)

    regularised(bench, Noting(), SETTINGS, weight=0.1, prompts=prompts)
    assert asked == {prompt.id for prompt in prompts}


def test_the_same_seed_gives_the_same_policy(tiny_bench):
    one, two = (regularised(tiny_bench(), Wanted(), SETTINGS, weight=0.1).policy for _ in range(2))
    pairs = zip(one.module.parameters(), two.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_reward_for_kl_is_refused(tiny_bench):
    with pytest.raises(BadValue, match="weight of the KL"):
        regularised(tiny_bench(), Wanted(), SETTINGS, weight=-0.1)
