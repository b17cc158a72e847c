"""REINFORCE, RLOO, PPO, GRPO and a critic's loss by hand; where they agree, and what clipping stops."""

from functools import partial
from math import e, exp

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from operant.errors import BadValue
from operant.objectives import (
    answer_mean,
    answer_sum,
    batch_token_mean,
    clipped_tokens,
    generalised_advantages,
    group_relative,
    leave_one_out,
    length_mean,
    ppo_loss,
    reinforce_loss,
    rloo_loss,
    token_k3,
    token_ratios,
    value_loss,
)

nan = float("nan")
MASK = tensor([[True, True, True], [True, False, False]])  # answers of 3 tokens and of 1


def gradient(loss, at):
    """Of the sum of a loss, at these log-probabilities."""
    logps = at.clone().requires_grad_()
    loss(logps).sum().backward()
    return logps.grad


def test_reinforce_by_hand():
    # rewards 3 and 1, baseline 2: advantages 1 and -1; log-probabilities -1 -2 -3 and -4
    logps = tensor([[-1.0, -2.0, -3.0], [-4.0, nan, nan]])
    got = reinforce_loss(logps, MASK, tensor([3.0, 1.0]), baseline=2.0, reduce=answer_sum)
    assert_close(got, tensor([1.0 + 2 + 3, -4.0]))
    each = reinforce_loss(logps, MASK, tensor([3.0, 1.0]), baseline=tensor([2.0, 2.0]), reduce=answer_mean)
    assert_close(each, tensor([(1.0 + 2 + 3) / 3, -4.0]))


def test_leave_one_out_by_hand():
    # one of four right, r = +-1: 1 - (-3)/3 = 2, and -1 - (1 - 2)/3 = -2/3; they sum to 0
    got = leave_one_out(tensor([[1.0, -1.0, -1.0, -1.0]]))
    assert_close(got, tensor([[2.0, -2 / 3, -2 / 3, -2 / 3]]))
    # c of K right: 2 (K - c) / (K - 1) and -2 c / (K - 1)
    got = leave_one_out(tensor([[1.0] * 4 + [-1.0] * 12]))
    assert_close(got, tensor([[2 * 12 / 15] * 4 + [-2 * 4 / 15] * 12]))


def test_group_relative_by_hand():
    # mean 2, deviations -2, 0, 2, variance (4 + 0 + 4) / 2 = 4
    rewards = tensor([[0.0, 2.0, 4.0], [5.0, 5.0, 5.0]])
    assert_close(group_relative(rewards, scaled=False), tensor([[-2.0, 0.0, 2.0], [0.0, 0.0, 0.0]]))
    want = tensor([[-2 / (2 + 1e-4), 0.0, 2 / (2 + 1e-4)], [0.0, 0.0, 0.0]])
    assert_close(group_relative(rewards, scaled=True), want)


@pytest.mark.parametrize("advantage", [leave_one_out, partial(group_relative, scaled=True)])
def test_a_reward_that_nobody_could_tell_changes_no_other(advantage):
    rewards = tensor([[1.0, nan, 3.0, 8.0], [nan, nan, 2.0, nan]])
    got = advantage(rewards)
    assert_close(got[0, [0, 2, 3]], advantage(rewards[:1, [0, 2, 3]])[0])
    assert got[0, 1] == 0 and not got[1].any()  # one answer alone has nothing to stand above


def test_one_answer_a_prompt_is_refused():
    with pytest.raises(BadValue, match="at least 2"):
        leave_one_out(torch.zeros(3, 1))


def test_generalised_advantages_by_hand():
    # values 1, 2, 4; a reward of 10 at the end; gamma 0.5, lambda 0.5
    # deltas: 0 + .5 * 2 - 1 = 0;  0 + .5 * 4 - 2 = 0;  10 - 4 = 6
    # A: 6;  0 + .25 * 6 = 1.5;  0 + .25 * 1.5 = 0.375
    rewards, values = tensor([[0.0, 0.0, 10.0]]), tensor([[1.0, 2.0, 4.0]])
    found = generalised_advantages(rewards, values, torch.ones(1, 3).bool(), discount=0.5, decay=0.5)
    assert_close(found.advantages, tensor([[0.375, 1.5, 6.0]]))
    assert_close(found.returns, tensor([[1.375, 3.5, 10.0]]))


def test_with_lambda_1_the_advantage_is_what_really_came():
    # gamma 1: the sum of rewards from here on, less the critic's value
    rewards, values = tensor([[1.0, 2.0, 3.0], [7.0, nan, nan]]), tensor([[0.5, 0.25, -1.0], [2.0, nan, nan]])
    found = generalised_advantages(rewards, values, MASK, discount=1.0, decay=1.0)
    assert_close(found.returns, tensor([[6.0, 5.0, 3.0], [7.0, 0.0, 0.0]]))
    assert_close(found.advantages, tensor([[5.5, 4.75, 4.0], [5.0, 0.0, 0.0]]))


def test_clipping_by_hand():
    # ratios e, 1, 1/e with clips at 0.8 and 1.3
    old, logps = torch.zeros(1, 3), tensor([[1.0, 0.0, -1.0]])
    mask = torch.ones(1, 3).bool()

    def at(worth):
        return clipped_tokens(logps, old, mask, tensor([[worth]]), low=0.2, high=0.3)

    # A = 2: min(2e, 2.6), 2, min(2/e, 1.6);  A = -2: -min(-2e, -2.6), 2, -min(-2/e, -1.6)
    assert_close(at(2.0), tensor([[-2.6, -2.0, -2 / e]]))
    assert_close(at(-2.0), tensor([[2 * e, 2.0, 1.6]]))


def test_what_is_clipped_has_no_gradient():
    mask, old = torch.ones(1, 3).bool(), torch.zeros(1, 3)

    def of(worth):
        loss = partial(clipped_tokens, old=old, mask=mask, advantages=tensor([[worth]]), low=0.2, high=0.2)
        return gradient(loss, tensor([[0.5, 0.1, -0.5]]))

    assert_close(of(1.0), tensor([[0.0, -exp(0.1), -exp(-0.5)]]))  # further up is not rewarded
    assert_close(of(-1.0), tensor([[exp(0.5), exp(0.1), 0.0]]))


def test_on_fresh_samples_all_have_reinforce_s_gradient():
    logps, worth = tensor([[-1.0, -2.0, -3.0], [-4.0, 0.0, 0.0]]), tensor([1.5, -0.5])
    want = gradient(lambda at: reinforce_loss(at, MASK, worth, baseline=0.0, reduce=answer_sum), logps)
    assert_close(want, tensor([[-1.5, -1.5, -1.5], [0.5, 0.0, 0.0]]))
    clip = {"low": 0.2, "high": 0.2}
    got = gradient(lambda at: ppo_loss(at, logps, MASK, worth.unsqueeze(1), **clip, reduce=answer_sum), logps)
    assert_close(got, want)
    assert_close(gradient(lambda at: rloo_loss(at, logps, MASK, worth, **clip), logps), want)


def test_rloo_takes_an_answer_as_one_action():
    # log-ratio 0.1 + 0.2 + 0.3 = 0.6 and -0.3
    old = torch.zeros(2, 3)
    logps = tensor([[0.1, 0.2, 0.3], [-0.3, nan, nan]])
    got = rloo_loss(logps, old, MASK, tensor([-2.0, 3.0]), low=0.2, high=0.2)
    assert_close(got, tensor([2 * exp(0.6), -3 * exp(-0.3)]))


def test_reductions_by_hand():
    values = tensor([[1.0, 2.0, 3.0], [8.0, nan, nan]])
    assert_close(answer_sum(values, MASK), tensor([6.0, 8.0]))
    assert_close(answer_mean(values, MASK), tensor([2.0, 8.0]))
    assert_close(length_mean(values, MASK, length=16), tensor([6 / 16, 8 / 16]))
    got = batch_token_mean(values, MASK, batch_tokens=4, batch_answers=2)
    assert_close(got.mean(), tensor(14 / 4))  # all tokens of the batch alike
    assert_close(answer_mean(values, torch.zeros_like(MASK)), torch.zeros(2))  # an answer without tokens


def test_weighed_by_its_ratio_k3_pulls_as_the_kl_does():
    # fresh samples, r = reference / policy: d/dlogp of [ratio * (r - 1 - log r)] = (r - 1 - log r) + (1 - r) = -log r,
    # REINFORCE with the KL's k1 as cost; without the ratio it is 1 - r
    policy, reference, mask = tensor([[-1.0, -2.0]]), tensor([[-1.5, -1.0]]), torch.ones(1, 2).bool()

    def weighed(at):
        return token_ratios(at, policy, mask) * token_k3(at, reference, mask)

    assert_close(gradient(weighed, policy), policy - reference)
    assert_close(gradient(lambda at: token_k3(at, reference, mask), policy), 1 - (reference - policy).exp())


def test_value_loss_by_hand():
    # said 0, now 1, wanted 3: (1 - 3)^2 = 4; held to 0.5: (0.5 - 3)^2 = 6.25, the worse, which no step can help
    values = tensor([[1.0, 2.0]], requires_grad=True)
    mask = torch.ones(1, 2).bool()
    told = {"old": tensor([[0.0, 1.8]]), "returns": tensor([[3.0, 0.0]]), "mask": mask, "reduce": answer_sum}
    assert_close(value_loss(values, **told, clip=None), tensor([(4.0 + 4.0) / 2]))
    loss = value_loss(values, **told, clip=0.5)
    assert_close(loss, tensor([(6.25 + 4.0) / 2]))
    loss.sum().backward()
    assert_close(values.grad, tensor([[0.0, 2.0]]))


@pytest.mark.parametrize(
    "settings", [{"low": -0.1, "high": 0.2}, {"low": 1.1, "high": 0.2}, {"low": 0.2, "high": -1.0}]
)
def test_clips_that_mean_nothing_are_refused(settings):
    with pytest.raises(BadValue):
        clipped_tokens(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1).bool(), torch.ones(1, 1), **settings)


def test_padding_changes_nothing_and_gets_no_gradient():
    logps = tensor([[-1.0, -2.0, -3.0], [-4.0, nan, nan]])
    old = tensor([[-1.1, -2.0, -2.5], [-4.2, nan, nan]])
    worth = tensor([1.0, -1.0])
    clip = {"low": 0.2, "high": 0.2}
    for loss in (
        lambda at: ppo_loss(at, old, MASK, worth.unsqueeze(1), **clip, reduce=answer_mean),
        lambda at: rloo_loss(at, old, MASK, worth, **clip),
        lambda at: reinforce_loss(at, MASK, worth, baseline=0.0, reduce=answer_mean),
    ):
        found = gradient(loss, logps)
        assert found.isfinite().all() and found[0].any() and not found[1, 1:].any()
        assert loss(logps).isfinite().all()
