"""OREAL: advantages, credit and losses by hand, what is kept of a group, and where it becomes something plainer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import exp, log, log1p, tanh
from random import Random

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

import tiny
from operant.engine.token_scores import token_scores
from operant.errors import BadValue, NotApplicable
from operant.loops.rounds import Kept, Learnt, Round, everyone
from operant.methods.optimize.oreal import (
    Config,
    Credit,
    all_right,
    balanced,
    one_of_each,
    oreal_loss,
    outcome,
    recipe,
    repeats,
    run,
)
from operant.methods.optimize.oreal.credit import outcome_loss, running_mean, threshold_weights, top_weights
from operant.models.heads import score_layer
from operant.models.text import Encoded
from operant.objectives import answer_sum, leave_one_out, reinforce_loss, token_k3
from operant.schema import Answer, Prompt, Score

SCORES, ONE = tensor([[2.0, 0.0, -4.0]]), torch.ones(1, 3, dtype=torch.bool)
RIGHT, WRONG = tensor([True]), tensor([False])


def test_the_running_mean_and_its_weights_by_hand():
    # scores 2, 0, -4: means 2, 1, -2/3; for a right answer tanh(m/2), for a wrong one its opposite, at least 0
    means = running_mean(SCORES, ONE)
    assert_close(means, tensor([[2.0, 1.0, -2 / 3]]))
    right, wrong = (threshold_weights(means, ONE, side) for side in (RIGHT, WRONG))
    assert_close(right, tensor([[tanh(1.0), tanh(0.5), 0.0]]))  # 0.7616, 0.4621, 0
    assert_close(wrong, tensor([[0.0, 0.0, tanh(1 / 3)]]))  # 0.3215
    assert_close(right - wrong, torch.tanh(means / 2))
    # clamp((P - 1/2) / (1 - 1/2), 0, 1) with P = sigmoid(m) is the same
    assert_close(right, (2 * torch.sigmoid(means) - 1).clamp(min=0))


def test_the_reward_model_learns_the_outcome_from_the_whole_answer():
    # m_T = -2/3: right log(1 + e^(2/3)) = 1.0810, wrong log(1 + e^(-2/3)) = 0.4144
    means = running_mean(SCORES, ONE)
    assert_close(outcome_loss(means, ONE, RIGHT), tensor([log1p(exp(2 / 3))]))
    assert_close(outcome_loss(means, ONE, WRONG), tensor([log1p(exp(-2 / 3))]))
    short = tensor([[True, True, False]])  # the mean of the answer's own tokens: 1
    assert_close(outcome_loss(running_mean(SCORES, short), short, RIGHT), tensor([log1p(exp(-1.0))]))


def test_the_surest_quarter_is_rescaled_to_itself():
    # P rises with m; half of 4 tokens are the 2 surest: m = 3 and 1, the lower of which becomes 0
    means = tensor([[3.0, -1.0, 1.0, 0.0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    assert_close(top_weights(means, mask, RIGHT, share=0.5), tensor([[1.0, 0.0, 0.0, 0.0]]))
    # of a wrong answer -3, 1, -1, 0: 1 and 0; three quarters: 1, 0, -1 as sigmoids
    got = top_weights(means, mask, WRONG, share=0.75)
    low, middle, high = (1 / (1 + exp(-one)) for one in (-1.0, 0.0, 1.0))
    assert_close(got, tensor([[0.0, 1.0, 0.0, (middle - low) / (high - low)]]))
    alike = torch.zeros(1, 4)
    assert_close(top_weights(alike, mask, RIGHT, share=0.5).sum(), tensor(2.0))  # all alike: 1 each
    assert_close(top_weights(means, tensor([[True, False, False, False]]), RIGHT, share=0.25)[0, 0], tensor(1.0))


def kept(reward, advantage, count, *, start=4):
    return Kept(Encoded((1,), tuple(range(start, start + count))), (-1.0,) * count, (-1.0,) * count, reward, advantage)


def told(*answers, logps, reference=None):
    """A round of these answers as the objective takes it."""
    lengths = [len(one.row.answer) for one in answers]
    mask = torch.arange(max(lengths)) < tensor(lengths).unsqueeze(1)
    logps = logps.clone().requires_grad_()
    reference = torch.zeros_like(logps) if reference is None else reference
    rewards, advantages = (tensor([getattr(one, name) for one in answers]) for name in ("reward", "advantage"))
    return Learnt(logps, logps.detach(), reference, mask, rewards, advantages, Round(0, (tuple(answers),), 0.0))


def test_the_loss_by_hand():
    # right: 2 tokens, -1 and -2, A = 2, weights 0.5 and 1; wrong: 1 token, -3, A = -2/3, weight 0.6
    # L_pos = 1/2 * 2 * (0.5 * 1 + 1 * 2) = 2.5;  L_neg = -0.5 / 1 * -2/3 * 0.6 = 0.2, whatever its likelihood
    right, wrong = kept(1.0, 2.0, 2), kept(-1.0, -2 / 3, 1)
    one = told(right, wrong, logps=tensor([[-1.0, -2.0], [-3.0, 0.0]]))
    weights = tensor([[0.5, 1.0], [0.6, 0.0]])
    got = oreal_loss(one, weights, Config(kl=0.0))
    assert_close(got.detach() / 2, tensor([2.5, 0.2]))  # the mean of two answers is the sum of the halves
    got.mean().backward()
    # gradients: -A w / N+ and, of the ratio that is 1, -c A w / N-: the wrong token is pushed down
    assert_close(one.logps.grad, tensor([[-0.5, -1.0], [0.5 * 2 / 3 * 0.6, 0.0]]))


def test_the_kl_term_by_hand():
    # delta = 0.5 and -0.5: e^0.5 - 1.5 = 0.1487, e^-0.5 - 0.5 = 0.1065; over all 2 tokens
    right, wrong = kept(1.0, 2.0, 1), kept(-1.0, -2.0, 1)
    one = told(right, wrong, logps=tensor([[-1.0], [-1.0]]), reference=tensor([[-0.5], [-1.5]]))
    got = oreal_loss(one, torch.zeros(2, 1), Config(kl=0.3)).mean()
    assert_close(got.detach(), tensor(0.3 * ((exp(0.5) - 1.5) + (exp(-0.5) - 0.5)) / 2))
    same = told(right, wrong, logps=tensor([[-1.0], [-1.0]]), reference=tensor([[-1.0], [-1.0]]))
    oreal_loss(same, torch.zeros(2, 1), Config(kl=0.3)).mean().backward()
    assert not same.logps.grad.any()  # at the start nothing pulls


def test_with_weights_of_0_the_policy_s_gradient_is_the_kl_s():
    right, wrong = kept(1.0, 2.0, 2), kept(-1.0, -2.0, 2)
    logps, reference = tensor([[-1.0, -2.0], [-0.5, -3.0]]), tensor([[-1.5, -1.0], [-1.0, -1.0]])
    one, other = (told(right, wrong, logps=logps, reference=reference) for _ in range(2))
    oreal_loss(one, torch.zeros(2, 2), Config(kl=0.5)).mean().backward()
    (0.5 * token_k3(other.logps, reference, other.mask).sum() / 4).backward()
    assert_close(one.logps.grad, other.logps.grad)
    assert other.logps.grad.any()


def test_with_weights_of_1_it_is_rloo_reinforce_but_for_each_side_s_tokens():
    rewards = tensor([[1.0, -1.0, -1.0, -1.0]])
    worth = leave_one_out(rewards)[0]
    assert_close(worth, tensor([2.0, -2 / 3, -2 / 3, -2 / 3]))
    answers = [kept(float(r), float(a), count) for r, a, count in zip(rewards[0], worth, (2, 3, 1, 2), strict=True)]
    logps = -torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    one, plain = (told(*answers, logps=logps) for _ in range(2))
    oreal_loss(one, one.mask.float(), Config(kl=0.0, negative=1.0)).mean().backward()
    reinforce_loss(plain.logps, plain.mask, worth, baseline=0.0, reduce=answer_sum).sum().backward()
    tokens = tensor([2.0, 6.0, 6.0, 6.0]).unsqueeze(1)  # N+ = 2, N- = 3 + 1 + 2
    assert_close(one.logps.grad * tokens, plain.logps.grad)


def test_right_answers_count_alike_where_the_advantage_is_left_out():
    one = told(kept(1.0, 0.25, 1), kept(-1.0, -1.0, 1), logps=tensor([[-1.0], [-1.0]]))
    got = oreal_loss(one, torch.ones(2, 1), Config(kl=0.0, by_advantage=False)).detach()
    assert_close(got / 2, tensor([1.0, 0.5]))  # positive 1 * 1 * 1; negative 0.5 * 1


def test_cloning_one_of_n_right_answers_aims_at_the_start_s_law_over_right_answers():
    # 6 answers, 2 of them right: P(the cloned one is y) for any n with a right one is pi0(y) / pi0(right)
    start, right = tensor([0.3, 0.1, 0.25, 0.05, 0.2, 0.1], dtype=torch.float64), [1, 2]
    solved = float(start[right].sum())
    for n in (2, 16):
        # exactly: given k right answers among n, each is y with pi0(y | right), whatever k is
        weights = [one_in(n, k, solved) for k in range(1, n + 1)]
        cloned = [sum(weights) * float(start[y]) / solved / sum(weights) for y in right]
        # and drawn: groups of n, a right one by `one_of_each`
        rng, counts = Random(n), {1: 0, 2: 0}
        for _ in range(4000):
            group = rng.choices(range(6), start.tolist(), k=n)
            chosen = one_of_each([1.0 if y in right else -1.0 for y in group], rng)
            if chosen:
                counts[group[chosen[0]]] += 1
        share = counts[1] / sum(counts.values())
        assert cloned[0] == pytest.approx(0.1 / 0.35)
        assert share == pytest.approx(0.1 / 0.35, abs=4 * (0.29 * 0.71 / sum(counts.values())) ** 0.5)


def one_in(n, k, solved):
    """Probability of k right answers among n, up to their order."""
    return solved**k * (1 - solved) ** (n - k)


def test_one_right_and_one_wrong_answer_are_kept_or_none():
    rng = Random(0)
    for _ in range(20):
        right, wrong = one_of_each([1.0, -1.0, 1.0, -1.0], rng)
        assert right in (0, 2) and wrong in (1, 3)
    assert one_of_each([1.0, 1.0], rng) == () == one_of_each([-1.0, -1.0], rng)
    assert len(one_of_each([1.0, -1.0], rng, negative=False)) == 1
    assert list(all_right([1.0, -1.0, 1.0], rng)) == [0, 2]


class Verifier:
    """A bench whose task answers as told."""

    def __init__(self, *values):
        self.values, self.asked = list(values), 0
        self.task = self

    def verify(self, prompts, answers):
        self.asked += len(answers)
        return [Score(value=value, why="no number in it") for value in self.values[: len(answers)]]


ASKED = [Prompt(id=str(place), content="") for place in range(3)]


def test_a_cut_answer_is_wrong_and_is_not_verified():
    bench = Verifier(1.0, 0.0)
    answers = [Answer(value="a"), Answer(value="answer 4", finish="length"), Answer(value="b")]
    assert [one.value for one in outcome(bench, ASKED, answers)] == [1.0, -1.0, -1.0]
    assert bench.asked == 2


def test_an_answer_that_nobody_could_verify_is_wrong_and_is_told():
    answers = [Answer(value="a")] * 3
    with pytest.warns(UserWarning, match=r"could not tell 2 of 3 answers \(no number in it\)"):
        assert [one.value for one in outcome(Verifier(None, 1.0, None), ASKED, answers)] == [-1.0, 1.0, -1.0]


def test_prompts_that_are_seldom_solved_are_asked_more_often():
    assert [repeats(rate) for rate in (0.0, 0.19, 0.2, 0.59, 0.6, 0.79, 0.8, 1.0)] == [6, 6, 4, 4, 2, 2, 0, 0]
    hard, easy = (Prompt(id=str(rate), content="", columns={"pass_rate": rate}) for rate in (0.1, 0.9))
    assert balanced([hard, easy]) == [hard] * 6
    assert balanced([hard, ASKED[0]]) == [hard, ASKED[0]]


def test_without_a_verifier_it_does_not_apply(tmp_path):
    bench = tiny.bench(tmp_path, task=tiny.graded())
    with pytest.raises(NotApplicable, match="no verifier"):
        run(tiny.config("oreal"), bench)


def drawn_round(bench, config, **changes):
    """A round of the tiny base's answers, as training takes it, with the credit that learns from it."""
    from operant.loops import policy_gradient as driver

    credit = Credit(config, bench)
    made = replace(recipe(config, bench, credit), **changes)
    rounds = driver._Rounds(bench, bench.base, made, config, bench.dir)
    asked = driver.askable(bench.base.tokenizer, bench, config)
    turns = driver.turns_of(asked, config, count=1, seed=0)
    return credit, rounds._new(bench.base.module, turns)


def test_the_first_rounds_train_the_reward_model_alone(tiny_bench):
    config = tiny.config("oreal", freeze=1)
    credit, whole = drawn_round(tiny_bench(), config)
    module = tiny.base().snapshot().module
    values = partial(credit.values, module, whole.everyone)
    values(whole).sum().backward()
    assert all(weight.grad is None for weight in module.parameters())
    assert score_layer(credit.head).weight.grad.any()
    credit.head.zero_grad()
    values(whole._replace(number=1)).sum().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in module.parameters())
    assert score_layer(credit.head).weight.grad.any()


def test_a_head_of_0_leaves_only_the_kl(tiny_bench):
    config = tiny.config("oreal", freeze=0, kl=0.0)
    credit, whole = drawn_round(tiny_bench(), config)
    with torch.no_grad():
        score_layer(credit.head).weight.zero_()
    module = tiny.base().snapshot().module
    credit.values(module, whole.everyone, whole).sum().backward()
    assert not any(weight.grad.any() for weight in module.parameters() if weight.grad is not None)


def test_no_gradient_reaches_the_reward_model_through_the_weights(tiny_bench):
    credit, whole = drawn_round(tiny_bench(), tiny.config("oreal", freeze=0))
    part = whole.everyone
    scores, mask = token_scores(credit.head, [one.row for one in part], pad=0)
    assert not threshold_weights(running_mean(scores, mask), mask, torch.ones(len(part)).bool()).requires_grad


def test_the_advantage_is_taken_before_answers_are_left_out(tiny_bench):
    # of 8 answers c are right: 2 (8 - c) / 7 and -2 c / 7, where the pair alone would always give +-2
    _, whole = drawn_round(tiny_bench(), tiny.config("oreal"))
    for right, wrong in (group for group in whole.groups if group):
        count = round(-wrong.advantage * 7 / 2)
        assert (right.reward, wrong.reward) == (1.0, -1.0)
        assert right.advantage == pytest.approx(2 * (8 - count) / 7) and 0 < count < 8


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


BEFORE = {"freeze": 0, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    "settings",
    [{"freeze": 1}, {"kl": 0.5}, {"positive": 3.0}, {"negative": 0.0}, {"by_advantage": False}, {"group": 6},
     {"credit": "top", "top_share": 0.5}, {"advantage": "grpo"}],
)  # fmt: skip
def test_each_setting_has_an_effect(settings, tiny_run):
    told = {"credit": "top"} if "top_share" in settings else {}
    one, other = tiny.once("oreal", **{**BEFORE, **told}), tiny_run("oreal", **{**BEFORE, **settings})[0]
    assert not torch.equal(flat(one), flat(other))


def test_prompts_that_say_nothing_are_counted(tiny_run):
    products, cost = tiny_run("oreal", **BEFORE)
    right, wrong = products.findings
    assert "all right" in right.name and "all wrong" in wrong.name
    assert 0 <= right.effect + wrong.effect < 1 and cost.verifier_calls > 0


def test_settings_outside_their_range_are_refused():
    for wrong in (
        {"group": 1}, {"updates": 2}, {"kl": -1.0}, {"negative": -0.5}, {"positive": 0.0, "negative": 0.0},
        {"top_share": 0.5}, {"credit": "top", "top_share": 0.0}, {"freeze": -1}, {"credit": "none", "freeze": 3},
    ):  # fmt: skip
        with pytest.raises(BadValue):
            Config(**wrong)


def test_what_is_kept_without_credit():
    rewards = [1.0, -1.0, 1.0]
    assert list(everyone(rewards, Random(0))) == [0, 1, 2]
    assert Config(credit="none", negative=0.0).freeze == 10
    assert log(2) == pytest.approx(outcome_loss(torch.zeros(1, 1), torch.ones(1, 1).bool(), RIGHT).item())
