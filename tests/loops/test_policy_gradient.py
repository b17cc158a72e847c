"""Rounds of own answers: what is learnt, what it costs, that it is repeatable, and that it goes on where it stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

import tiny
from operant.engine.logps import all_logps, answer_logps
from operant.errors import BadValue, OperantError
from operant.loops import policy_gradient as driver
from operant.loops.policy_gradient import askable, policy_gradient, turns_of
from operant.loops.rounds import Kept, Recipe, Round, RoundFit, answerwise, everyone, learnt
from operant.meter import metered
from operant.models.text import Encoded
from operant.objectives import answer_mean, group_relative, ppo_loss, token_k3
from operant.schema import Score
from operant.training.budgeted import Stage

SETTINGS = RoundFit(learning_rate=3e-3, batch_size=4, group=4, max_tokens=6, points=0)
WANTED = "the"


def wanted(prompts, answers):
    """How often a word is said, which a policy can learn in a few rounds."""
    return [Score(value=float(str(answer.value).split().count(WANTED))) for answer in answers]


def clipped(one, *, beta=0.0):
    loss = ppo_loss(
        one.logps, one.old, one.mask, one.advantages.unsqueeze(1), low=0.2, high=0.2, reduce=answer_mean
    )  # fmt: skip
    return loss + beta * answer_mean(token_k3(one.logps, one.reference, one.mask), one.mask)


def recipe(**more):
    beta = more.pop("beta", 0.0)
    values = answerwise(partial(clipped, beta=beta), pad=0)
    made = Recipe(reward=wanted, advantage=partial(group_relative, scaled=True), values=values, reference=beta > 0)
    return replace(made, **more)


def learn(bench, settings=SETTINGS, **more):
    return policy_gradient(bench, recipe(**more), settings)


def mean_reward(policy):
    prompts = tiny.graded().prompts("test")
    drawn = policy.answer(prompts, n=16, decoding=tiny.DECODING, seed=9)
    scores = [score.value for many in drawn for score in wanted(prompts, many)]
    return sum(scores) / len(scores)


def test_what_is_rewarded_becomes_likelier(tiny_bench):
    found = learn(tiny_bench(epochs=20))
    assert mean_reward(found.policy) > 2 * mean_reward(tiny.base()) + 0.2
    means = [sum(one["means"]) / len(one["means"]) for one in found.rounds]
    assert sum(means[-5:]) > sum(means[:5])


@pytest.mark.parametrize("more", [{}, {"beta": 0.1}])
@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, updates=2), replace(SETTINGS, accumulate=2)])
def test_the_budget_is_kept_and_nearly_spent(tiny_bench, settings, more):
    bench = tiny_bench(epochs=12)
    with metered() as cost:
        found = learn(bench, settings, **more)
    # random weights hardly ever stop early, and what is left pays for no round more
    assert 0.8 < bench.budget.share(cost) < 1.0
    assert len(found.rounds) >= 2 and cost.sampled_tokens > 0


def weights_of(policy):
    return torch.cat([weight.detach().flatten() for weight in policy.module.parameters()])


def test_the_same_seed_gives_the_same_policy(tiny_bench):
    one, again, other = (learn(tiny_bench(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(weights_of(one.policy), weights_of(again.policy)) and one.rounds == again.rounds
    assert not torch.equal(weights_of(one.policy), weights_of(other.policy))


class Killed(BaseException):
    """As a signal is: nothing may catch it on the way."""


@pytest.mark.parametrize("updates", [1, 2])
def test_a_run_that_is_broken_off_goes_on_as_if_it_had_not_been(tiny_bench, updates, monkeypatch):
    monkeypatch.setattr("operant.training.budgeted.SAVE_EVERY", 4)
    settings = replace(SETTINGS, updates=updates)

    def cost_of(bench, reward):
        with metered() as cost:
            found = learn(bench, settings, reward=reward)
        return found, cost

    unbroken, whole = cost_of(tiny_bench(epochs=5), wanted)
    calls = 0

    def killing(prompts, answers):
        nonlocal calls
        calls += 1
        if calls == 6 // updates:  # in a round behind the first state
            raise Killed
        return wanted(prompts, answers)

    bench = tiny_bench(epochs=5)
    with pytest.raises(Killed):
        cost_of(bench, killing)
    found, cost = cost_of(bench, wanted)
    assert torch.equal(weights_of(found.policy), weights_of(unbroken.policy))
    assert (found.rounds, cost) == (unbroken.rounds, whole)
    assert len(found.rounds) * updates > 6


def test_however_it_is_split_it_learns_the_same(tiny_bench):
    whole, parts = (learn(tiny_bench(), replace(SETTINGS, accumulate=count)) for count in (1, 2))
    assert_close(weights_of(whole.policy), weights_of(parts.policy), atol=1e-4, rtol=1e-4)


def test_recomputing_changes_nothing(tiny_bench):
    plain, again = (learn(tiny_bench(), replace(SETTINGS, recompute=value, epochs=0.4)) for value in (False, True))
    assert_close(weights_of(plain.policy), weights_of(again.policy), atol=1e-5, rtol=1e-4)


def test_later_updates_see_the_same_answers(tiny_bench):
    seen = []

    def watched(module, part, whole):
        seen.append([one.row for one in whole.everyone])
        return answerwise(clipped, pad=0)(module, part, whole)

    learn(tiny_bench(), replace(SETTINGS, updates=2), values=watched)
    assert all(one == two for one, two in zip(seen[::2], seen[1::2], strict=True))
    assert len({str(one) for one in seen[::2]}) == len(seen) // 2  # and every round draws others


def test_of_the_first_update_the_old_are_the_policy_s_own(tiny_bench):
    gaps = []

    def watched(module, part, whole):
        own = all_logps(module, [one.row for one in part], pad=0)
        both = [(one.old, now) for one, now in zip(part, own, strict=True)]
        gaps.append(max(abs(a - b) for old, now in both for a, b in zip(old, now, strict=True)))
        return answerwise(clipped, pad=0)(module, part, whole)

    learn(tiny_bench(), replace(SETTINGS, updates=2), values=watched)
    assert max(gaps[::2]) < 1e-5 and max(gaps[1::2]) > 1e-2


def test_the_reference_is_the_base(tiny_bench):
    seen = []

    def watched(module, part, whole):
        seen.extend(part)
        return answerwise(clipped, pad=0)(module, part, whole)

    learn(tiny_bench(), reference=True, values=watched)
    again = all_logps(tiny.base().module, [one.row for one in seen], pad=0)
    assert all(one.reference == pytest.approx(own, abs=1e-5) for one, own in zip(seen, again, strict=True))


def test_the_loss_is_the_mean_over_answers_that_are_learnt_from(tiny_bench):
    # whichever are chosen: here the first of two prompts keeps 3 answers, the second 1, and the others none
    chosen = iter([3, 1, 0, 0])

    def few(rewards, rng):
        return range(next(chosen))

    bench = tiny_bench()
    rounds = driver._Rounds(bench, bench.base, recipe(choose=few), SETTINGS, bench.dir)
    module = bench.base.snapshot().module
    turns = turns_of(askable(bench.base.tokenizer, bench, SETTINGS), SETTINGS, count=1, seed=0)
    got = rounds.loss(module, turns, turns)
    kept = rounds.round.everyone
    assert len(kept) == 4
    values = rounds.recipe.values(module, kept, rounds.round)
    assert_close(got.mean(), values.mean())
    assert_close(got, 4 / 4 * torch.stack([values[:3].sum(), values[3], *values.new_zeros(2)]))


def test_a_round_of_which_nothing_is_learnt_moves_no_weight_and_charges_no_update(tiny_bench):
    bench = tiny_bench()
    with metered() as cost:
        found = learn(bench, choose=lambda rewards, rng: ())
    assert torch.equal(weights_of(found.policy), weights_of(tiny.base()))
    assert cost.backward_flops == 0 and cost.forward_flops > 0
    assert all(one["kept"] == 0 for one in found.rounds)


def test_an_answer_that_nobody_could_judge_is_not_learnt_from(tiny_bench):
    seen = []

    def unsure(prompts, answers):
        return [Score(value=None, why="no idea"), *wanted(prompts, answers)[1:]]

    def watched(module, part, whole):
        seen.append(len(whole.everyone))
        return answerwise(clipped, pad=0)(module, part, whole)

    found = learn(tiny_bench(), reward=unsure, values=watched)
    assert set(seen) == {15} and all(one["unknown"] == 1 for one in found.rounds)


def test_learnt_puts_every_number_beside_its_token():
    one = Kept(Encoded((1,), (2, 3)), (-0.1, -0.2), (-0.3, -0.4), 5.0, 1.5)
    two = Kept(Encoded((1,), (4,)), (-0.5,), (), 6.0, -1.5)
    whole = Round(0, ((one, two),), 0.0)
    with torch.no_grad():
        got = learnt([one, two], answer_logps(tiny.base().module, [one.row, two.row], pad=0), whole)
    assert_close(got.old, torch.tensor([[-0.1, -0.2], [-0.5, 0.0]]))
    assert_close(got.reference, torch.tensor([[-0.3, -0.4], [0.0, 0.0]]))
    assert_close(got.advantages, torch.tensor([1.5, -1.5]))
    assert got.mask.tolist() == [[True, True], [True, False]] and got.whole == whole


def test_prompts_take_turns(tiny_bench):
    bench = tiny_bench()
    asked = askable(bench.base.tokenizer, bench, SETTINGS)[:6]
    turns = turns_of(asked, replace(SETTINGS, updates=2), count=3, seed=0)
    rounds = [[turn for turn in turns if turn.number == number and turn.update == 0] for number in range(3)]
    ids = [turn.asked.prompt.id for many in rounds for turn in many]
    assert sorted(ids[:6]) == sorted(ids[6:]) == sorted(one.prompt.id for one in asked)  # two epochs of 6 in 3 x 4
    again = [turn for turn in turns if turn.number == 0 and turn.update == 1]
    assert [turn.asked for turn in again] == [turn.asked for turn in rounds[0]]
    assert [turn.place for turn in again] == list(range(4))


def test_epochs_bound_the_rounds(tiny_bench):
    # 0.5 epochs of the training prompts, 4 a round
    bench = tiny_bench(epochs=60)
    prompts = len(askable(bench.base.tokenizer, bench, SETTINGS))
    found = learn(bench, replace(SETTINGS, epochs=0.5))
    assert len(found.rounds) == round(0.5 * prompts / 4)


def test_a_share_of_the_budget_is_what_is_spent(tiny_bench):
    bench = tiny_bench(epochs=24)
    with metered() as cost:
        policy_gradient(bench, recipe(), SETTINGS, stage=Stage(share=0.5))
    assert 0.35 < bench.budget.share(cost) < 0.5


def test_prompts_that_leave_no_room_are_told(tiny_bench):
    with pytest.raises(OperantError, match="leaves room for 96 tokens in max-length 96"):
        learn(tiny_bench(), replace(SETTINGS, max_tokens=96))


@pytest.mark.parametrize("wrong", [{"group": 1}, {"updates": 3}, {"updates": 0}, {"max_tokens": 0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(BadValue, match=next(iter(wrong))):
        RoundFit(learning_rate=1e-3, **wrong)


def test_everyone_is_everyone():
    assert list(everyone([1.0, math.nan, 0.0], None)) == [0, 1, 2]
