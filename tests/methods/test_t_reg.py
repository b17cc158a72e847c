"""T-REG: what a token is worth, the loss by hand, its gradient as token weights, and where it becomes DPO."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

import tiny
from operant.engine.logps import AnswerLogps
from operant.errors import BadValue, OperantError
from operant.methods.optimize import t_reg
from operant.methods.optimize.t_reg import Config, pair_values, rated_pairs, regularised_loss
from operant.methods.optimize.t_reg.rewards import (
    BETTER,
    COLUMNS,
    WORSE,
    Rated,
    by_feedback,
    by_revision,
    paired_rows,
    revision,
    shuffled,
    token_rewards,
)
from operant.models.text import Encoded, encode_prompt
from operant.schema import Answer, Prompt
from operant.training.pairs import PairRow

PAIRS = tiny.graded().pairs("train")[:6]


def kept(pairs=PAIRS):
    return paired_rows(tiny.base().tokenizer, pairs, max_length=96)


def rated(chosen, rejected, *, chosen_reference=0.0, rejected_reference=0.0) -> Rated:
    """A pair whose answers are as long as the rewards."""
    won, lost = (Encoded((1,), tuple(range(4, 4 + len(side)))) for side in (chosen, rejected))
    return Rated(PairRow(won, lost, won, None, chosen_reference, rejected_reference), tuple(chosen), tuple(rejected))


def found(*answers):
    """Log-probabilities of answers' tokens, as training finds them; with gradient."""
    lengths = [len(one) for one in answers]
    wide = torch.zeros(len(answers), max(lengths))
    for place, one in enumerate(answers):
        wide[place, : len(one)] = tensor(one)
    mask = torch.arange(max(lengths)) < tensor(lengths).unsqueeze(1)
    return AnswerLogps(wide.requires_grad_(), mask)


def test_a_token_s_reward_by_hand():
    # p_better 0.6, p_worse 0.2: 0.6 / 0.8 - 1/2 = 0.25; equal ones are worth 0; the other way round, the opposite
    better, worse = [log(0.6), log(0.3)], [log(0.2), log(0.3)]
    assert token_rewards(better, worse) == pytest.approx((0.25, 0.0))
    assert token_rewards(worse, better) == tuple(-one for one in token_rewards(better, worse))


def test_the_loss_by_hand():
    # beta 0.1, log-ratios +2 and -1: margin 0.2 + 0.1 = 0.3, log(1 + e^-0.3) = 0.5544, w = 1 / (1 + e^0.3) = 0.4256
    margin, weight = log(1 + exp(-0.3)), 1 / (1 + exp(0.3))
    told = {"alpha": 0.25, "margin": 0.0}
    got = regularised_loss(tensor([0.2]), tensor([-0.1]), tensor([0.8]), **told, stops=True)
    assert_close(got, tensor([margin - 0.25 * weight * 0.8]))
    got = regularised_loss(tensor([0.2]), tensor([-0.1]), tensor([0.8]), **told, stops=False)
    assert_close(got, tensor([margin - 0.25 * 0.8]))
    assert (round(margin, 4), round(weight, 4)) == (0.5544, 0.4256)


def test_dpo_and_simpo_from_tokens_by_hand():
    # chosen: 2 tokens, -1 and -3, worth 0.2 and -0.4; rejected: 1 token, -2, worth 0.1; references -5 and -1
    one = rated([0.2, -0.4], [0.1], chosen_reference=-5.0, rejected_reference=-1.0)
    logps = found([-1.0, -3.0], [-2.0])
    # DPO, beta 0.5: r = 0.5 (-4 + 5) = 0.5 and 0.5 (-2 + 1) = -0.5, agreement 0.5 (-0.2 + 1.2 - 0.2) = 0.4
    want = log(1 + exp(-1.0)) - 0.25 / (1 + exp(1.0)) * 0.4
    assert_close(pair_values([one], logps, Config(beta=0.5)).detach(), tensor([want]))
    # SimPO: r = 0.5 (-4 / 2) = -1 and 0.5 * -2 = -1, gamma 0.3; agreement 0.5 (1.0 / 2 - 0.2) = 0.15
    want = log(1 + exp(0.3)) - 0.25 / (1 + exp(-0.3)) * 0.15
    assert_close(pair_values([one], logps, Config(beta=0.5, loss="simpo", gamma=0.3)).detach(), tensor([want]))


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_the_gradient_is_dpo_s_with_weighed_tokens(alpha):
    # -beta w (1 + alpha r_t) on tokens of the chosen answer, +beta w (1 - alpha r_t) on those of the rejected one
    rng = torch.Generator().manual_seed(0)

    def draw(count):
        return (torch.rand(count, generator=rng) - 0.5).tolist()

    one = rated(draw(5), draw(3), chosen_reference=-7.0, rejected_reference=-6.0)
    logps = found([-4 * abs(value) for value in draw(5)], [-4 * abs(value) for value in draw(3)])
    config = Config(beta=0.3, alpha=alpha)
    pair_values([one], logps, config).sum().backward()
    gap = 0.3 * (logps.sums[0].detach() + 7 - logps.sums[1].detach() - 6)
    pull = 0.3 * torch.sigmoid(-gap)
    assert_close(logps.logps.grad[0], -pull * (1 + alpha * tensor(one.chosen)), atol=1e-6, rtol=1e-6)
    assert_close(logps.logps.grad[1, :3], pull * (1 - alpha * tensor(one.rejected)), atol=1e-6, rtol=1e-6)


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


@pytest.mark.parametrize("nothing", [{"alpha": 0.0}, {"evaluator": "revision"}])
def test_without_a_regulariser_or_with_rewards_of_0_it_is_dpo(nothing, tiny_bench, monkeypatch):
    if "evaluator" in nothing:  # both prompts the same: no token is worth anything
        monkeypatch.setattr("operant.methods.optimize.t_reg.rewards.WORSE", BETTER)
    from operant.methods.reference import dpo

    settings = {"learning_rate": 1e-3, "beta": 0.1, "epochs": 1}
    ours = t_reg.run(Config(**{"evaluator": "revision", **settings, **nothing}), tiny_bench(epochs=60))
    theirs = dpo.run(dpo.Config(**settings), tiny_bench(epochs=60))
    assert_close(flat(ours), flat(theirs), atol=1e-5, rtol=1e-5)
    assert (flat(ours) - torch.cat([one.flatten() for one in tiny.base().module.parameters()])).abs().max() > 1e-3


def test_both_prompts_of_an_answer_differ_in_what_is_wanted_alone():
    prompt, answer = Prompt(id="a", content="name a city"), Answer(value="oslo")
    better, worse = (str(revision(prompt, answer, wanted).content) for wanted in (BETTER, WORSE))
    assert better.replace(BETTER, WORSE) == worse != better
    assert "name a city" in better and better.endswith("oslo")
    told = replace(prompt, content=({"role": "system", "content": "short"}, {"role": "user", "content": "name a city"}))
    first, second = revision(told, answer, BETTER).content
    assert first["content"] == "short" and second["content"] == better


def test_every_token_has_a_reward_and_the_ids_are_those_that_are_trained(monkeypatch):
    wanted = {"BETTER": "superb ,", "WORSE": "awful ,"}  # words that the small model knows
    for name, word in wanted.items():
        monkeypatch.setattr(f"operant.methods.optimize.t_reg.rewards.{name}", word)
    base = tiny.base()
    for (pair, rows), one in zip(kept(), by_revision(base, kept()), strict=True):
        assert one.row == rows
        assert (len(one.chosen), len(one.rejected)) == (len(rows.chosen.answer), len(rows.rejected.answer))
        # by hand for the first token: both prompts end where the answer begins
        ids = [encode_prompt(base.tokenizer, revision(pair.prompt, pair.chosen, word)) for word in wanted.values()]
        with torch.no_grad():
            logps = [base.module(torch.tensor([one])).logits[0, -1].log_softmax(-1) for one in ids]
        first = rows.chosen.answer[0]
        expected = float(torch.sigmoid(logps[0][first] - logps[1][first])) - 0.5
        assert one.chosen[0] == pytest.approx(expected, abs=1e-5) and expected != 0


def test_a_trained_evaluator_likes_what_was_chosen(tiny_bench):
    # mean over all pairs of (mean reward of chosen - mean reward of rejected tokens)
    config = tiny.config("t-reg", share=0.9, learning_rate=1e-3)
    items = rated_pairs(config, tiny_bench(epochs=60))
    gaps = [sum(one.chosen) / len(one.chosen) - sum(one.rejected) / len(one.rejected) for one in items]
    assert sum(gaps) / len(gaps) > 0.05


def test_shuffled_rewards_are_the_same_numbers_elsewhere():
    one = rated([0.1, 0.2, 0.3, 0.4], [-0.1, -0.2])
    (mixed,), (again,) = shuffled([one], seed=1), shuffled([one], seed=1)
    assert mixed == again != one
    assert sorted(mixed.chosen) == sorted(one.chosen) and sorted(mixed.rejected) == sorted(one.rejected)


def given(pair, rewards):
    columns = {**pair.prompt.columns, **dict(zip(COLUMNS, rewards, strict=True))}
    return replace(pair, prompt=replace(pair.prompt, columns=columns))


def test_the_feedback_may_bring_rewards_of_its_own(tiny_bench):
    pair, rows = kept()[0]
    won, lost = len(rows.chosen.answer), len(rows.rejected.answer)
    text = " ".join(["0.25"] * lost)
    (one,) = by_feedback(kept([given(pair, ([0.1] * won, text))]))
    assert one.chosen == (0.1,) * won and one.rejected == (0.25,) * lost
    with pytest.raises(OperantError, match=f"{COLUMNS[0]} of prompt .* has 1 numbers, and the answer has {won} tokens"):
        by_feedback(kept([given(pair, ([0.1], text))]))


def test_settings_outside_their_range_are_refused():
    for name, value in [("beta", 0.0), ("alpha", -0.1), ("gamma", 1.0), ("share", 0.5), ("share", 1.0)]:
        with pytest.raises(BadValue, match=name):
            Config(**{name: value})
    assert Config(loss="simpo", beta=2.0).margin == 1.0 and Config().margin == 0.0


@pytest.mark.parametrize(
    "settings", [{"alpha": 2.0}, {"beta": 0.5}, {"share": 0.6}, {"loss": "simpo", "gamma": 5.0}, {"weight": "one"}]
)
def test_each_setting_has_an_effect(settings, tiny_run):
    before = {key: value for key, value in settings.items() if key == "loss"}
    one, other = tiny_run("t-reg", **before)[0], tiny_run("t-reg", **settings)[0]
    assert not torch.equal(flat(one), flat(other))


def test_the_size_of_the_rewards_is_told(tiny_run):
    (finding,) = tiny_run("t-reg")[0].findings
    assert 0 < finding.effect < 0.5 and finding.low <= finding.effect <= finding.high
