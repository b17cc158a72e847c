"""DNO: the game on a table, which pairs are allowed, replay, judges, and that each setting has an effect."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch

import tiny
from operant.decoding.mixture import Mixture
from operant.errors import BadValue, OperantError
from operant.methods.loop import direct_nash_optimization as dno
from operant.methods.loop.direct_nash_optimization import Config, judge_of, run, teachers
from operant.methods.loop.direct_nash_optimization.game import (
    bradley_terry_optimum,
    exact_step,
    expected_wins,
    exploitability,
    play,
)
from operant.methods.loop.direct_nash_optimization.pairing import (
    Judged,
    Margins,
    regressed_pairs,
    repetitive,
    replayed,
    winners,
)
from operant.rewards.win_rates import Standing, win_rates
from operant.schema import Answer, Pair, Prompt, Score

# Rock, paper, scissors: paper beats rock, scissors beats paper, rock beats scissors.
CYCLE = np.array([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
UNEVEN = np.array([0.5, 0.25, 0.25])


def test_win_rates_and_an_exact_step_by_hand():
    # rock: 0.5 0.5 + 0.25 1 = 0.5; paper: 0.5 1 + 0.25 0.5 = 0.625; scissors: 0.25 1 + 0.25 0.5 = 0.375
    wins = expected_wins(CYCLE, UNEVEN)
    assert wins == pytest.approx([0.5, 0.625, 0.375])
    for eta, told in ((1.0, [0.4981, 0.2822, 0.2198]), (0.1, [0.3462, 0.6042, 0.0496])):
        weights = [p * exp(r / eta) for p, r in zip(UNEVEN, wins, strict=True)]
        assert exact_step(CYCLE, UNEVEN, eta=eta) == pytest.approx([one / sum(weights) for one in weights])
        assert exact_step(CYCLE, UNEVEN, eta=eta) == pytest.approx(told, abs=5e-5)


def test_an_exact_step_makes_every_margin_the_difference_of_win_rates():
    # the regression's minimum: eta log(pi'/pi)(y1) - eta log(pi'/pi)(y2) = r(y1) - r(y2)
    after = exact_step(CYCLE, UNEVEN, eta=0.3)
    implied = 0.3 * np.log(after / UNEVEN)
    assert implied - implied[0] == pytest.approx(expected_wins(CYCLE, UNEVEN) - 0.5)


def test_nothing_moves_at_the_uniform_policy_or_where_nothing_is_preferred():
    uniform = np.full(3, 1 / 3)
    assert expected_wins(CYCLE, uniform) == pytest.approx([0.5] * 3)
    assert exact_step(CYCLE, uniform, eta=0.1) == pytest.approx(uniform)
    assert exact_step(np.full((3, 3), 0.5), UNEVEN, eta=0.1) == pytest.approx(UNEVEN)


def test_the_last_policy_goes_round_and_the_average_does_not():
    played = play(CYCLE, UNEVEN, eta=10.0, steps=500)
    assert np.abs(played.average - 1 / 3).sum() < 0.05
    assert np.abs(played.last - 1 / 3).sum() > 0.2


@pytest.mark.parametrize("eta", [0.01, 0.05])
def test_in_a_cycle_a_reward_collapses_to_one_style_and_self_play_does_not(eta):
    cycle = np.array([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]])
    start = np.array([0.5, 0.3, 0.2])
    collapsed = bradley_terry_optimum(cycle, start, eta=eta)
    assert collapsed.max() > 0.9
    average = play(cycle, start, eta=1.0, steps=500).average
    assert exploitability(cycle, average) < exploitability(cycle, collapsed) / 2


def test_where_a_reward_explains_everything_both_agree_on_the_order():
    # P = sigmoid of a difference of rewards: one step ranks answers as the reward does, and so does its optimum
    reward = np.array([0.0, 1.0, -0.5])
    preferences = 1 / (1 + np.exp(reward[None, :] - reward[:, None]))
    start = np.array([0.2, 0.3, 0.5])
    for policy in (exact_step(preferences, start, eta=0.2), bradley_terry_optimum(preferences, start, eta=0.2)):
        assert np.argsort(policy / start).tolist() == np.argsort(reward).tolist()


PROMPT = Prompt(id="p", content="?")


def judged(points, *, teacher=0, texts=None) -> Judged:
    texts = texts or [f"answer {at}" for at in range(len(points))]
    answers = tuple(Answer(value=text) for text in texts)
    return Judged(PROMPT, answers, Standing(tuple(map(float, points)), win_rates(points)), teacher)


def test_allowed_pairs_by_hand():
    # teacher 6 (place 0), students 5, 5, 4, 3, 2
    one = judged([6, 5, 5, 4, 3, 2])
    taught = {(0, 3), (0, 4), (0, 5)}  # 6 over 4, 3, 2; not over 5, one point behind
    own = {(student, lost) for student in (1, 2) for lost in (3, 4, 5)}  # each 5 over 4, 3, 2: one point is enough
    assert set(winners(one, Margins(), "margin")) == taught | own
    assert len(winners(one, Margins(), "margin")) == 9
    assert set(winners(one, Margins(), "restrictive")) == taught
    assert set(winners(one, Margins(), "teacher")) == {(0, at) for at in range(1, 6)}


def test_other_rules_by_hand():
    assert winners(judged([4, 4, 3, 0]), Margins(), "margin") == []  # nobody has 5 points
    assert winners(judged([4, 5, 3], teacher=0), Margins(), "margin") == [(1, 0), (1, 2)]  # a student over the teacher
    assert winners(judged([5, 0], teacher=None), Margins(), "restrictive") == []
    assert winners(judged([6, 2], teacher=None), Margins(own=5), "margin") == []


def test_a_defective_answer_is_never_positive_and_loses_to_good_ones():
    dull = "so it is " * 12
    # 36 words: 33 4-grams, of which 3 are different
    assert repetitive(dull) and not repetitive("each word of this sentence stands here for the first time")
    assert not repetitive("a b c") and not repetitive("")
    one = judged([6, 6, 5], texts=[dull, "b", "c"], teacher=None)
    assert winners(one, Margins(), "margin") == [(1, 0), (1, 2), (2, 0)]


def test_regressed_labels_by_hand():
    # wins of 6, 3, 3: 1, 1/4, 1/4
    pairs = regressed_pairs([judged([6, 3, 3], teacher=None)])
    label = 1 / (1 + exp(-(1 - 0.25)))
    assert [pair.margin for pair in pairs] == pytest.approx([label, label, 0.5])


def test_replay_halves_with_every_round():
    rounds = [[Pair(prompt=Prompt(id=f"{at}-{one}", content="?"), chosen=Answer(value="a"), rejected=Answer(value="b"))
               for one in range(40)] for at in range(3)]  # fmt: skip
    found = [pair.prompt.id.split("-")[0] for pair in replayed(rounds, 0.3, seed=0)]
    # 0.3 of the last 40, 0.15 of those before, 0.075 of the first
    assert [found.count(at) for at in ("2", "1", "0")] == [12, 6, 3]
    assert replayed(rounds, 0.0, seed=0) == replayed([], 0.3, seed=0) == []


def test_sure_labels_are_dpo_and_alpha_adds_likelihood():
    from operant.training.pairs import PairLogps

    logps = PairLogps(torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([-7.0]), torch.tensor([4]))
    got = dno.loss_of(Config(beta=0.5, alpha=0.01), logps, torch.ones(1))
    assert float(got) == pytest.approx(log(1 + exp(-0.5)) + 0.01 * 7.0)
    soft = dno.loss_of(Config(beta=0.5, objective="regression"), logps, torch.full((1,), 0.6))
    assert float(soft) == pytest.approx(0.6 * log(1 + exp(-0.5)) + 0.4 * log(1 + exp(0.5)))


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": 0.5}, {"alpha": 0.5}, {"good": 1.0}, {"ahead": 6.0}, {"own": 4.0}, {"replay": 0.9}, {"rounds": 2},
        {"samples": 3}, {"temperature": 1.3}, {"top_p": 0.5}, {"later": 1.0}, {"sampling": 0.1}, {"teacher": False},
        {"max_tokens": 4}, {"judge": "proxy"},
    ],
)  # fmt: skip
def test_each_setting_has_an_effect(settings, tiny_run):
    told = {"returns": "last", "learning_rate": 1e-3}
    other, _ = tiny_run("direct-nash-optimization", **told, **settings)
    assert not torch.equal(flat(tiny.once("direct-nash-optimization", **told)), flat(other))


def test_the_best_round_is_one_of_them(tiny_run):
    best = tiny_run("direct-nash-optimization", learning_rate=1e-3)[0].generator
    ends = [flat_of(point.generator) for point in best.points()]
    assert any(torch.equal(flat_of(best), one) for one in ends)


def flat_of(policy):
    return torch.cat([weight.flatten() for weight in policy.module.parameters()])


def test_a_mixture_has_every_round_in_it(tiny_run):
    mixture = tiny_run("direct-nash-optimization", returns="mixture")[0].generator
    assert isinstance(mixture, Mixture) and len(mixture.parts) == 3


def test_the_teacher_is_the_column_gold_or_what_was_chosen(tiny_bench):
    bench = tiny_bench()
    found = teachers(Config(), bench)
    assert {pair.prompt.id: pair.chosen for pair in bench.task.pairs("train")}.keys() == found.keys()
    told = Prompt(id="x", content="?", columns={"gold": "so it is"})
    bench.task.prompts = lambda _: [told, Prompt(id="y", content="?")]
    assert teachers(Config(), bench) == {"x": Answer(value="so it is")}
    assert teachers(Config(teacher=False), bench) == {}


def test_judges_by_name(tiny_bench, monkeypatch):
    class Longest:
        def __init__(self, name):
            assert name == "mine:longest"

        def score(self, prompts, answers):
            assert len(prompts) == len(answers)
            return [Score(value=None if answer.value == "?" else float(len(answer.value))) for answer in answers]

    monkeypatch.setattr(dno, "FunctionScorer", Longest)
    judge = judge_of(Config(judge="mine:longest"), tiny_bench())
    known, unknown = judge([PROMPT] * 2, [[Answer(value="aaa"), Answer(value="a")], [Answer(value="?")] * 2])
    assert known.points == (3.0, 1.0) and unknown is None
    assert callable(judge_of(Config(judge="judge:model@http://127.0.0.1:9/v1"), tiny_bench()))


def test_a_judge_who_never_can_tell_stops_it_with_counts(tiny_bench):
    bench = tiny_bench()
    bench.task.ask = lambda prompts, *_: [None] * len(prompts)
    with pytest.raises(OperantError, match="none of .* prompts with 5 answers each left a pair"):
        run(tiny.config("direct-nash-optimization"), bench)


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"beta": 0.0}, "beta"), ({"alpha": -1.0}, "alpha"), ({"own": 0.0}, "ahead or own"),
        ({"replay": 1.0}, "replay"),
        ({"judge": "nobody"}, "judge"), ({"teacher": False, "rule": "restrictive"}, "teacher"),
        ({"objective": "regression", "alpha": 0.1}, "alpha"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings, name):
    with pytest.raises(BadValue, match=name):
        Config(**settings)
