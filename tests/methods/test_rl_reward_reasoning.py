"""Rewards of reasoning: what tokens are paid, where shapings become something plainer, and how the policy learns."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

import tiny
from operant.errors import BadValue, NotApplicable
from operant.loops.rounds import Kept, Round
from operant.methods import load
from operant.methods.reward.rl_reward_reasoning import Config, findings
from operant.methods.reward.rl_reward_reasoning.learning import Learning
from operant.methods.reward.rl_reward_reasoning.shaping import (
    SHAPED,
    over_batch,
    repeated,
    step_rewards,
    token_rewards,
)
from operant.models.text import Encoded
from operant.objectives.process import returns
from operant.schema import Answer, Score

STEPS = (0.9, 0.8, 0.9, 0.3, 0.7)


class Steady:
    """A judge that gives every step what it is told."""

    def __init__(self, *many):
        self.many = list(many)

    def steps(self, prompts, answers):
        assert len(prompts) == len(answers)
        return self.many[: len(answers)]


def learning(bench, *many, threshold=0.7, **settings):
    config = replace(Config(baseline="group", alpha=0.5, kl=0.0, step_end=r" \."), **settings)
    return Learning(config, bench, Steady(*many) if many else None, threshold=threshold)


def answered(bench, text, *, finish="stop"):
    ids = bench.base.tokenizer(text, add_special_tokens=False)["input_ids"]
    ended = (bench.base.tokenizer.eos_token_id,) if finish == "stop" else ()
    return Answer(value=text, tokens=(*ids, *ended), finish=finish)


TEXT = "it comes from spain . the noise is low . the build is satisfactory"  # 5 + 5 + 4 tokens and EOS


def test_rewards_stand_on_each_step_s_last_token_alone(tiny_bench):
    bench = tiny_bench()
    made = learning(bench, (0.9, 0.3, 0.2), shaping="raw")
    prompt = bench.task.prompts("train")[0]
    score = made.judge([prompt], [answered(bench, TEXT)])[0]
    paid = token_rewards(score.parts, 15)
    # alpha 0.5: steps end at tokens 4 and 9; the last token has the success and no process reward
    wanted = torch.zeros(15)
    wanted[4], wanted[9], wanted[14] = 0.45, 0.15, score.parts["success"]
    assert_close(paid, wanted)
    assert isclose(score.value, 0.45 + 0.15 + score.parts["success"], rel_tol=1e-6)


def test_a_solution_of_one_step_is_paid_its_success_alone():
    for how in SHAPED:
        assert_close(step_rewards((0.3,), how, threshold=0.7), torch.zeros(1))


def test_no_clipped_reward_is_above_0_and_no_sum_above_the_first_step():
    for steps in (STEPS, (0.1, 0.9, 0.9), (1.0, 1.0)):
        assert (step_rewards(steps, "clip", threshold=0.7) <= 0).all()
        follows = returns(step_rewards(steps, "clip_delta", threshold=0.7))
        assert (follows <= 0).all() and (follows >= -0.7).all()
        assert_close(returns(step_rewards(steps, "delta", threshold=0.0))[0], tensor(steps[0]))


def test_plain_rewards_grow_with_the_number_of_steps_and_the_others_do_not():
    long = (0.9,) * 9 + (0.7,)
    short = (0.9, 0.7)
    sums = {how: [float(step_rewards(steps, how, threshold=0.7).sum()) for steps in (short, long)] for how in SHAPED}
    assert sums["raw"] == pytest.approx([0.9, 9 * 0.9])
    assert sums["clip"] == sums["clip_delta"] == pytest.approx([0.0, 0.0])
    assert sums["delta"] == pytest.approx([0.9, 0.9])
    assert sums["per_step"] == pytest.approx([0.9 / 2, 9 * 0.9 / 10])  # at most 1


def test_scores_over_a_batch_by_hand():
    # 0, 1, 1: mean 2/3, variance 2/9
    got = over_batch([(0.0, 1.0), (1.0,)])
    unit = (2 / 9) ** 0.5
    assert got[0] == pytest.approx((-2 / 3 / unit, 1 / 3 / unit)) and got[1] == pytest.approx((1 / 3 / unit,))
    assert over_batch([(0.5, 0.5)])[0] == pytest.approx((0.0, 0.0))


def test_an_outcome_model_s_word_stands_at_the_end(tiny_bench):
    bench = tiny_bench()
    made = learning(bench, (0.9, 0.3, 0.2), shaping="orm")
    score = made.judge(bench.task.prompts("train")[:1], [answered(bench, TEXT)])[0]
    assert_close(token_rewards(score.parts, 15)[[4, 9]], torch.zeros(2))
    assert score.value == pytest.approx(score.parts["success"] + 0.5 * 0.2)


def test_with_alpha_0_only_success_counts(tiny_bench):
    bench = tiny_bench()
    prompts, answers = bench.task.prompts("train")[:1], [answered(bench, TEXT)]
    none = learning(bench, shaping="none", alpha=0.1).judge(prompts, answers)[0]
    zero = learning(bench, (0.9, 0.3, 0.2), alpha=0.0).judge(prompts, answers)[0]
    assert none.value == zero.value == none.parts["success"]
    assert_close(token_rewards(none.parts, 15), token_rewards(zero.parts, 15))


def test_what_nobody_could_verify_or_read_is_left_out(tiny_bench):
    class Silent(tiny.Blind):
        def verify(self, prompts, answers):
            return [Score(value=None, why="no target") for _ in answers]

    bench = tiny_bench(task=Silent(knobs=tiny.KNOBS))
    prompts = bench.task.prompts("train")[:1]
    assert learning(bench).judge(prompts, [answered(bench, TEXT)])[0].why == "no target"
    bench = tiny_bench()
    score = learning(bench, (0.5,)).judge(prompts, [answered(bench, TEXT)])[0]
    assert score.value is None and "3 steps, and 1" in score.why
    assert learning(bench).judge(prompts, [Answer(value="", tokens=())])[0].value is None


def test_a_cut_answer_has_no_success(tiny_bench):
    bench = tiny_bench()
    score = learning(bench).judge(bench.task.prompts("train")[:1], [answered(bench, "build", finish="length")])[0]
    assert score.value == 0.0


def test_repeated_steps_are_told():
    assert repeated("a . b . a  . c", r" \.") == 1 / 4
    assert repeated("a", r" \.") == 0.0


def kept(parts, count, *, reward, advantage, old=-1.0, reference=-1.0):
    row = Encoded((1,), tuple(range(5, 5 + count)))
    return Kept(row, (old,) * count, (reference,) * count, reward, advantage, parts)


def test_advantages_by_hand(tiny_bench):
    # answers of 2 and 1 tokens: rewards (0.5, 1) and 0; what the other got is the baseline: 0 and 1.5
    #   returns 1.5, 1 | 0; above the baseline 1.5, 1 | -1.5: mean 1/3, then whitened over the three tokens
    one = kept({"token 0": 0.5, "token 1": 1.0, "success": 1.0}, 2, reward=1.5, advantage=1.5)
    two = kept({"token 0": 0.0}, 1, reward=0.0, advantage=-1.5)
    worth = learning(tiny_bench())._worth([one, two])
    above = tensor([1.5, 1.0, -1.5])
    white = (above - above.mean()) / above.std(correction=0)
    assert_close(worth[id(one)].advantages, white[:2], atol=1e-5, rtol=0)
    assert_close(worth[id(two)].advantages, white[2:], atol=1e-5, rtol=0)


def test_the_kl_is_taken_from_each_token_s_reward(tiny_bench):
    # log pi - log ref = -1 + 3 = 2 a token, times 0.1
    one = kept({"token 1": 1.0}, 2, reward=1.0, advantage=0.0, old=-1.0, reference=-3.0)
    assert_close(learning(tiny_bench(), kl=0.1)._tokens(one), tensor([-0.2, 1.0 - 0.2]))


def test_a_critic_foresees_returns_and_the_whole_of_the_rest_is_the_advantage(tiny_bench):
    # undiscounted and with decay 1: A_t = return_t - V_t
    made = learning(tiny_bench(), baseline="critic")
    one = kept({"token 0": 0.5, "token 1": 1.0}, 2, reward=1.5, advantage=0.0)
    worth = made._worth([one])[id(one)]
    assert_close(worth.returns, tensor([1.5, 1.0]))
    above = worth.returns - worth.values
    assert_close(worth.advantages, (above - above.mean()) / above.std(correction=0), atol=1e-3, rtol=0)
    module = tiny.base().snapshot().module
    made.values(module, [one], Round(0, ((one,),), 0.0)).sum().backward()
    assert any(weight.grad.any() for weight in made.critic.parameters() if weight.grad is not None)
    assert any(weight.grad.any() for weight in module.parameters() if weight.grad is not None)


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


@pytest.mark.parametrize(
    "settings, beside",
    [({"alpha": 2.0}, {}), ({"threshold": 0.9}, {}), ({"completions": 3}, {"labels": "soft"}), ({"prm_share": 0.1}, {}),
     ({"prm_learning_rate": 1e-2}, {}), ({"prm_epochs": 0.4}, {}), ({"prompts": 3}, {}), ({"kl": 0.5}, {}),
     ({"clip": 0.01}, {"updates": 2}), ({"step_end": r" [a-m]\w*"}, {"labels": "soft"}), ({"updates": 2}, {})],
)  # fmt: skip
def test_each_setting_has_an_effect(settings, beside, tiny_run):
    common = {"learning_rate": 3e-3, "alpha": 1.0, **beside}
    one, other = tiny_run("rl-reward-reasoning", **common)[0], tiny_run("rl-reward-reasoning", **common | settings)[0]
    assert not torch.equal(flat(one), flat(other))


def test_a_judge_that_is_there_already_is_taken(tiny_run, tmp_path):
    made, cost = tiny_run("rl-reward-reasoning")
    made.scorer.save(tmp_path / "judge")
    again, cheaper = tiny_run("rl-reward-reasoning", prm=str(tmp_path / "judge"))
    prompts = tiny.graded().prompts("test")[:2]
    answers = [Answer(value="it comes from spain .")] * 2
    assert again.scorer.steps(prompts, answers) == made.scorer.steps(prompts, answers)
    assert cheaper.labels == 0 < cost.labels


def test_feedback_without_labels_of_steps_says_what_else_there_is(tiny_bench):
    class Bare(tiny.Blind):
        def judged(self, split):
            return [replace(one, steps=None) for one in super().judged(split)]

    bench = tiny_bench(task=Bare(knobs=tiny.KNOBS))
    with pytest.raises(NotApplicable, match="labels=soft"):
        load("rl-reward-reasoning").run(tiny.config("rl-reward-reasoning"), bench)


def test_how_answers_changed_is_told():
    rounds = [{"parts": {"success": place / 8, "steps": 2.0}} for place in range(8)]
    found = {one.name: one for one in findings(rounds)}
    # quarters are two rounds: 0 and 1/8, then 6/8 and 7/8
    assert found["share of right answers, first quarter of rounds"].effect == 0.5 / 8
    assert found["share of right answers, last quarter of rounds"].effect == 6.5 / 8
    assert found["steps an answer, last quarter of rounds"].effect == 2.0
    assert findings([]) == []


def test_settings_outside_their_range_are_refused():
    for wrong in (
        {"alpha": -1.0}, {"kl": -0.1}, {"clip": 1.0}, {"prm_share": 1.0}, {"completions": 0}, {"step_end": "("},
        {"shaping": "none", "alpha": 0.5}, {"shaping": "raw", "threshold": 0.5}, {"labels": "given", "completions": 4},
        {"threshold": 1.5},
    ):  # fmt: skip
        with pytest.raises(BadValue):
            Config(**wrong)
