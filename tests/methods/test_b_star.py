"""B-STaR: the balance score and the selection by hand, what an answer is worth, monitors, and each setting's effect."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log, nan
from random import Random

import pytest
import torch

import tiny
from operant.errors import BadValue, OperantError
from operant.loops.given import given_solutions
from operant.loops.student import Student
from operant.methods.loop import b_star
from operant.methods.loop.b_star import Config, Sampling
from operant.methods.loop.b_star.balance import Scored, balance, best_threshold, pool, query_balance, select
from operant.methods.loop.b_star.monitors import different_equations, evenness, pass_at, reward_at
from operant.methods.loop.b_star.rewards import weakest_logit
from operant.schema import Answer, Prompt, Score


@pytest.mark.parametrize(
    "selected, right, score",
    [(10, 8, 0.8), (4, 4, 4 / 8), (8, 4, 4 / 8 * 1 / 2), (12, 12, 1.0), (0, 0, 0.0), (6, 0, 0.0)],
)
def test_balance_of_a_query_by_hand(selected, right, score):
    assert query_balance(selected, right, n_star=8) == pytest.approx(score)


def scored(*answers, right=()):
    """(text, reward) each; right are those whose text is named."""
    return [Scored(Answer(value=text), reward, text in right) for text, reward in answers]


def one_pool(*answers, right=(), name="p"):
    return pool(Prompt(id=name, content="?"), scored(*answers, right=right), seed=0)


def test_the_same_text_twice_counts_once():
    many = scored(("a", 1.0), ("b", 1.0), ("c", 0.5), right=("a", "b"))
    assert balance([many], n_star=4) == balance([many * 3], n_star=4) == pytest.approx(2 / 4 * 2 / 3)
    # mean over prompts, one of which kept nothing
    assert balance([many, []], n_star=4) == pytest.approx((2 / 4 * 2 / 3 + 0) / 2)


def test_one_more_right_answer_never_lowers_it():
    for selected in range(1, 20):
        scores = [query_balance(selected, right, n_star=8) for right in range(selected + 1)]
        assert scores == sorted(scores)


POOLS = [
    one_pool(("a", 1.5), ("b", 1.2), ("b", 1.2), ("c", 0.4), ("d", -0.3), right=("a", "b"), name="0"),
    one_pool(("e", 1.1), ("f", 0.2), ("g", 0.1), right=("e",), name="1"),
]


def texts(selected):
    return [[str(one.answer.value) for one in many] for many in selected]


def test_selection_by_hand():
    # m = 1: a and e, 2 answers. m = 2: a b, e f: 4. m = 3: the second b is the same text, e f g: 5
    assert texts(select(POOLS, threshold=-inf, target=2, most=5)) == [["a"], ["e"]]
    assert texts(select(POOLS, threshold=-inf, target=3, most=5)) == [["a", "b"], ["e", "f"]]
    assert texts(select(POOLS, threshold=-inf, target=5, most=5)) == [["a", "b"], ["e", "f", "g"]]
    # above 0.2, strictly: f and g are out, and 100 answers are out of reach
    assert texts(select(POOLS, threshold=0.2, target=100, most=5)) == [["a", "b", "c"], ["e"]]
    assert texts(select(POOLS, threshold=0.2, target=100, most=2)) == [["a", "b"], ["e"]]
    assert texts(select(POOLS, threshold=2.0, target=1, most=5)) == [[], []]


def test_the_best_threshold_is_that_of_its_selection():
    thresholds = [round(-1 + 0.1 * at, 6) for at in range(25)]
    found = best_threshold(POOLS, thresholds, n_star=2, most=5)
    scores = [balance(select(POOLS, threshold=one, target=2 * 2, most=5), n_star=2) for one in thresholds]
    assert found.score == pytest.approx(max(scores))
    assert found.threshold == thresholds[scores.index(max(scores))]
    # of the first prompt both right answers, of the second its one: (1 1 + 1/2 1) / 2, from 0.4 on
    assert found == (0.4, 0.75)


def test_a_shift_of_rewards_and_threshold_changes_nothing():
    shifted = [pool(one.prompt, [own._replace(reward=own.reward + 3) for own in one.answers], seed=0) for one in POOLS]
    for threshold in (-0.5, 0.2, 1.15):
        here, there = (
            balance(select(pools, threshold=limit, target=3, most=5), n_star=2)
            for pools, limit in ((POOLS, threshold), (shifted, threshold + 3))
        )
        assert here == there


def test_the_given_solution_goes_first_at_1():
    # gold is worth 1: above 0.99 it stays, above 1 only right answers whose steps are liked stay
    many = one_pool(("gold", 1.0), ("liked", 1.4), ("disliked", 0.7), right=("gold", "liked", "disliked"))
    assert texts(select([many], threshold=0.99, target=9, most=9)) == [["liked", "gold"]]
    assert texts(select([many], threshold=1.0, target=9, most=9)) == [["liked"]]


def test_equals_are_in_random_order_that_a_seed_decides():
    answers = scored(*((str(at), 1.0) for at in range(20)))
    prompt = Prompt(id="p", content="?")
    first, again, other = (pool(prompt, answers, seed=seed) for seed in (0, 0, 1))
    assert first == again != other and sorted(map(repr, first.answers)) == sorted(map(repr, answers))


def test_the_weakest_step():
    # a chance p is a logit log(p / (1 - p)), held between -5 and 5
    assert weakest_logit((0.9, 0.25, 0.5)) == pytest.approx(log(0.25 / 0.75))
    assert weakest_logit((1.0,)) == 5 and weakest_logit((0.5, 0.0)) == weakest_logit((1e-9,)) == weakest_logit(()) == -5
    assert weakest_logit((0.5, nan)) != weakest_logit((0.5, nan))


def test_what_an_answer_is_worth(tiny_bench, monkeypatch):
    steps = {"right": (0.9, 0.75), "wrong": (0.25,), "cut": (0.75,), "unknown": (0.5,), "broken": (nan,)}

    class Judge:
        def steps(self, prompts, answers):
            assert len(prompts) == len(answers)
            return [steps[answer.value] for answer in answers]

    def verify(prompts, answers):
        told = {"right": 1.0, "wrong": 0.0, "unknown": None, "broken": 1.0}
        return [Score(value=told[answer.value]) for answer in answers]

    bench = tiny_bench()
    sampling = Sampling(Config(prm="none"), bench)
    monkeypatch.setattr(bench.task, "verify", verify)
    answers = [Answer(value=name, finish="length" if name == "cut" else "stop") for name in steps]
    plain = sampling._scored([Prompt(id="p", content="?")] * 5, answers)
    assert [one and one.reward for one in plain] == [1.0, 0.0, 0.0, None, 1.0]
    sampling.judge, sampling.rejected = Judge(), 0
    right, wrong, cut, unknown, broken = sampling._scored([Prompt(id="p", content="?")] * 5, answers)
    assert right.right and right.reward == pytest.approx(1 + log(3) / 5)
    assert not wrong.right and wrong.reward == pytest.approx(0 - log(3) / 5)
    assert not cut.right and cut.reward == -1.0  # -5 / 5
    assert unknown is broken is None and sampling.rejected == 2


def test_with_one_temperature_and_no_threshold_it_is_online_rejection_fine_tuning(tiny_bench):
    """Example for example: the m best answers of each prompt, each text once, by a reward of right or wrong."""
    config = tiny.config("b-star", temperatures=(1.0,), threshold=-inf, prm="none", sft=0.0, rounds=1)
    bench = tiny_bench(epochs=30)
    seen = []
    plain = Sampling._pools

    def told(self, *args):
        found = plain(self, *args)
        seen.append(found[1.0])
        return found

    sampling = Sampling(config, bench)
    sampling._pools = told.__get__(sampling)
    rows = sampling(b_star.Turn(0, 1, Student(bench), 1e9))
    (pools,) = seen
    for m in range(1, config.samples + 1):
        firsts = [list(dict.fromkeys(str(one.answer.value) for one in own.answers[:m])) for own in pools]
        if sum(map(len, firsts)) >= config.n_star * len(pools):
            break
    assert len(rows) == sum(map(len, firsts))
    assert [one.effect for one in sampling.findings[:2]] == [1.0, -inf]


def test_monitors_by_hand():
    three = one_pool(("1 + 1 = 2 . so 2", 1.0), ("1+1=2 . 2", 0.9), ("2 - 1 = 1 . 1", 0.1), right=("1 + 1 = 2 . so 2",))
    # one right of three: of one drawn 1/3; of two 1 - 2/3 1/2; of three surely
    assert [pass_at([three], k)[0] for k in (1, 2, 3)] == pytest.approx([1 / 3, 1 - 2 / 3 * 1 / 2, 1.0])
    assert reward_at([three], 1) == [1.0]
    # three equations, of which two are the same but for spaces
    assert different_equations([three], r" \.") == pytest.approx([2 / 3])
    assert different_equations([one_pool(("no equation", 1.0))], r" \.") == []
    # 1 and 3 answers: mean 2, standard deviation 1
    assert evenness([[None], [None] * 3]) == pytest.approx(1 - 1 / 2)


def test_chosen_settings_are_the_best_of_those_that_were_tried(tiny_bench, monkeypatch):
    """The temperature on the dev prompts, the threshold anew on the training prompts."""
    config = tiny.config("b-star", prm="none", sft=0.0, temperatures=(0.7, 1.3))
    sampling = Sampling(config, tiny_bench(epochs=30))
    tried = []
    plain = b_star.best_threshold

    def told(pools, *args, **more):
        found = plain(pools, *args, **more)
        tried.append((pools, found))
        return found

    monkeypatch.setattr(b_star, "best_threshold", told)
    sampling(b_star.Turn(0, 1, Student(sampling.bench), 1e9))
    (_, cold), (_, hot), (train, chosen) = tried
    found = {one.name: one.effect for one in sampling.findings}
    assert found["round 1: temperature"] == (0.7 if cold.score >= hot.score else 1.3)
    assert found["round 1: threshold"] == chosen.threshold and found["round 1: balance"] == chosen.score
    valid = {one.id for one in sampling.bench.task.prompts("valid")}
    assert {own.prompt.id for own in tried[0][0]} <= valid and not valid & {own.prompt.id for own in train}


def test_given_solutions(tiny_bench):
    bench = tiny_bench()
    assert given_solutions(bench) == {pair.prompt.id: pair.chosen for pair in bench.task.pairs("train")[::-1]}
    prompt = Prompt(id="x", content="?", columns={"solution": "so it is"})
    bench.task.prompts = lambda _: [prompt]
    assert given_solutions(bench)["x"] == Answer(value="so it is")
    # a reference answer says how to get there only where it has several lines
    bench.task.prompts = lambda _: [
        replace(prompt, columns={"target": "1 + 1 = 2\n#### 2"}), Prompt(id="y", content="?", columns={"answer": "2"})
    ]  # fmt: skip
    found = given_solutions(bench)
    assert found["x"] == Answer(value="1 + 1 = 2\n#### 2") and "y" not in found


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperatures": (1.0,)}, {"threshold": 0.9}, {"samples": 4}, {"n_star": 1.0}, {"dev": 1, "searching": 0.9},
        {"prm": "none"}, {"prm_share": 0.4}, {"prm_rate": 30.0}, {"prompts": 2}, {"sft": 0.4}, {"rounds": 2},
        {"max_tokens": 4}, {"optimiser": "fresh"}, {"step_end": " "}, {"steps": 1},
    ],
)  # fmt: skip
def test_each_setting_has_an_effect(settings, tiny_bench):
    told = {"learning_rate": 3e-3, "samples": 8}
    other = b_star.run(tiny.config("b-star", **{**told, **settings}), tiny_bench(epochs=12))
    assert not torch.equal(flat(tiny.once("b-star", epochs=12, **told)), flat(other))


def test_the_grid_of_thresholds():
    assert Config(grid=0.5).thresholds == [-1.0, -0.5, 0.0, 0.5]
    assert len(Config().thresholds) == 20 and len(Config(grid=0.01).thresholds) == 200
    assert Config(threshold=0.3).thresholds == [0.3]


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"temperatures": ()}, "temperatures"), ({"temperatures": (0.0,)}, "temperatures"), ({"grid": 0.0}, "grid"),
        ({"threshold": 0.0, "grid": 0.01}, "grid"), ({"samples": 1}, "samples"), ({"n_star": 0.0}, "n_star"),
        ({"prm": "none", "prompts": 3}, "prompts"), ({"sft": 1.0}, "sft"), ({"searching": 1.0}, "searching"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings, name):
    with pytest.raises(BadValue, match=name):
        Config(**settings)


def test_without_validation_prompts_it_says_so(tiny_bench):
    bench = tiny_bench()
    plain = bench.task.prompts
    bench.task.prompts = lambda split: [] if split == "valid" else plain(split)
    with pytest.raises(OperantError, match="no validation prompt"):
        Sampling(Config(prm="none"), bench)


def test_random_pools_agree_with_the_plain_selection():
    rng = Random(5)
    pools = [
        one_pool(
            *((rng.choice("abcdefgh"), rng.choice((1.2, 0.8, 0.1, -0.4))) for _ in range(12)), right="abc", name=str(at)
        )
        for at in range(6)
    ]
    for threshold in (-1.0, 0.0, 0.5, 1.0):
        for target in (1, 8, 20, 99):
            for m in range(1, 13):
                plain = [
                    list(dict.fromkeys(str(one.answer.value) for one in own.answers[:m] if one.reward > threshold))
                    for own in pools
                ]
                if sum(map(len, plain)) >= target:
                    break
            assert texts(select(pools, threshold=threshold, target=target, most=12)) == plain
