"""The rules of a comparison: budget, tuning grid, verdicts of claims, what methods may see, who pays."""

from dataclasses import replace

import pytest

from operant.card import Card, Claim
from operant.compare.advice import _distrust, advice, break_even, overoptimised, winner
from operant.compare.bench import View, no_cycle
from operant.compare.budget import BudgetExceeded, Ceiling
from operant.compare.options import Options
from operant.compare.rows import Row, config_json, config_of, parse_rows
from operant.compare.tasks import answer_tokens, embedded
from operant.compare.tuning import grid
from operant.compare.verify import judge, verdict_of
from operant.domains.text.tasks.reviews import Knobs, Reviews
from operant.errors import OperantError
from operant.meter import charge, metered
from operant.methods import load
from operant.methods.reference.dpo import Config
from operant.models.text import encode_answer


def test_plan_pays_for_whole_steps_of_what_is_left():
    ceiling = Ceiling(flops=100.0, labels=10.0)
    with metered():
        charge(forward_flops=30.0, backward_flops=5.0)
        assert ceiling.plan(flops_per_step=20.0) == 3  # (100 - 35) / 20 = 3.25
        assert ceiling.plan(flops_per_step=1.0, labels_per_step=4.0) == 2  # 10 / 4 = 2.5
        with pytest.raises(BudgetExceeded, match="--budget"):
            ceiling.plan(flops_per_step=66.0)


def test_every_row_gets_as_many_trials_and_the_default_first():
    about = Card(slug="x", family="f", kind="method", paper="", title="t",
                 search={"learning_rate": ("x1", "x0.5", "x2"), "beta": (0.1, 0.5)})  # fmt: skip
    points = grid(about, Config(learning_rate=4.0), trials=4, seed=0)
    assert points[0] == {"learning_rate": 4.0, "beta": 0.1}
    assert len(points) == 4 == len({tuple(point.items()) for point in points})
    assert {point["learning_rate"] for point in points} <= {4.0, 2.0, 8.0}
    assert grid(about, Config(), trials=1, seed=0) == points[:0] + grid(about, Config(), trials=4, seed=1)[:1]


def test_a_row_outranks_tuning_which_outranks_settings_for_small_models():
    options = Options(methods=("dpo:beta=0.3",), task="reviews", points=7)
    (row,) = parse_rows(options)
    small = config_of(load("dpo"), row, options, small=True, chosen={"beta": 0.9, "batch_size": 4})
    assert (small.beta, small.batch_size, small.points, small.learning_rate) == (0.3, 4, 7, 1e-4)
    assert config_of(load("dpo"), row, options, small=False).learning_rate == 5e-7  # the paper's
    assert config_json(small)["beta"] == 0.3


@pytest.mark.parametrize(
    "difference, low, high, found",
    [
        (0.3, 0.1, 0.5, "reproduced"),  # wholly above 0, reaches 0.2
        (0.15, 0.1, 0.25, "inconclusive"),  # wholly above 0, does not reach 0.2, may yet
        (0.3, -0.1, 0.7, "inconclusive"),
        (0.05, -0.1, 0.19, "not reproduced"),  # wholly below 0.2
        (-0.3, -0.5, -0.1, "not reproduced"),
    ],
)
def test_verdict_of_a_claim(difference, low, high, found):
    assert verdict_of(difference, low, high, smallest=0.2) == found


def test_a_claim_downwards_counts_its_own_side_positive():
    claim = Claim("t", "toxicity", "down", against="base", smallest=0.1)
    row = {
        "method": "x",
        "baseline": "base",
        "metric": "toxicity",
        "difference": -0.3,
        "low": -0.5,
        "high": -0.1,
        "p": 0.0,
    }
    assert judge(claim, "x", {"comparisons": [row]})["verdict"] == "reproduced"
    assert judge(claim, "x", {"comparisons": []})["verdict"] == "not tested"


def test_methods_see_no_test_split_and_pay_once_for_a_pair():
    view = View(Reviews(knobs=Knobs(pairs=12, test_pairs=4, test_prompts=3)))
    with metered() as cost:
        view.pairs("train")
        view.pairs("train")
        view.prompts("train")
    assert cost.labels == 12
    for look in (view.prompts, view.pairs):
        with pytest.raises(OperantError, match="train and valid"):
            look("test")
    assert not hasattr(view, "gold")


def test_methods_that_need_each_other_are_told():
    with no_cycle("a"), no_cycle("b"), pytest.raises(OperantError, match="a -> b -> a"), no_cycle("a"):
        pass


def row(name, train, serve):
    cost = {"training/forward_flops": {"mean": train}, "serving/forward_flops": {"mean": serve}}
    return {"method": name, "gold": {"mean": 0}, "cost": cost}


def test_break_even_by_hand():
    # 10 answers were served: slow costs 20 an answer and nothing to make, fast 2 an answer and 90 to make
    # 20 n = 90 + 2 n -> n = 5
    assert break_even([row("slow", 0, 200), row("fast", 90, 20)], 10) == [
        {"decode_time": "slow", "trained": "fast", "answers": 5.0}
    ]
    # dearer to make and to serve: never cheaper
    assert break_even([row("slow", 100, 200), row("fast", 90, 20)], 10)[0]["answers"] is None


def test_overoptimisation_is_proxy_up_and_gold_down():
    def point(value, gold, proxy):
        return {"value": value, "gold": {"mean": gold, "low": gold - 0.1, "high": gold + 0.1}, "proxy": {"mean": proxy}}

    gamed = {"method": "m", "knob": "n", "points": [point(1, 0.0, 0.0), point(4, 1.0, 1.0), point(16, 0.5, 2.0)]}
    (said,) = overoptimised({"curves": [gamed]})
    assert said == "m past n 4 (proxy +1.00, gold -0.50)"
    fine = {"method": "m", "knob": "n", "points": [point(1, 0.0, 0.0), point(4, 1.0, 1.0)]}
    assert overoptimised({"curves": [fine]}) == []


def test_advice_names_the_best_of_those_that_beat_base():
    def line(name, gold):
        return {**row(name, 90 if name == "fast" else 0, 20 if name == "fast" else 200), "slug": name, "seed": None,
                "status": "done", "gold": {"mean": gold}, "scorer": None}  # fmt: skip

    def against_base(name, verdict):
        figures = {"difference": 0.5, "low": 0.2, "high": 0.8, "smallest_visible": 0.4}
        return {"method": name, "baseline": "base", "metric": "quality", "verdict": verdict, **figures}

    report = {
        "task": {"primary": "quality", "gold_kind": "exact"}, "seeds": 3, "curves": [],
        "rows": [line("slow", 2.0), line("fast", 1.0)],
        "comparisons": [against_base("slow", "no detectable difference"), against_base("fast", "better")],
        "break_even": [{"decode_time": "slow", "trained": "fast", "answers": 5.0}],
    }  # fmt: skip
    assert winner(report) == "fast"  # slow has the higher gold and is not detectably better
    best, volume, distrust = advice(report)
    assert best.startswith("fast: quality +0.50") and "slow" not in volume
    report["comparisons"][0]["verdict"] = "better"
    assert winner(report) == "slow" and "5 answers" in advice(report)[1]
    report["comparisons"] = []
    assert winner(report) is None and "Nothing to recommend" in advice(report)[0]


@pytest.mark.parametrize("kind, doubted", [("exact", False), ("verifier", False), ("held-out judge, not truth", True)])
def test_only_a_substitute_for_gold_is_doubted(kind, doubted):
    report = {"task": {"primary": "quality", "gold_kind": kind}, "seeds": 3, "curves": [], "rows": [],
              "comparisons": [], "break_even": []}  # fmt: skip
    assert (f"gold: {kind}" in advice(report)[2]) is doubted


def test_adapters_learn_ten_times_as_fast_unless_the_row_says_otherwise():
    method, row = load("dpo"), Row(name="dpo", slug="dpo", settings={})
    full = Options(methods=("dpo",), task="reviews")
    lora = replace(full, lora=4)
    for small, rate in ((False, 5e-7), (True, 1e-4)):
        assert config_of(method, row, full, small=small).learning_rate == rate
        assert config_of(method, row, lora, small=small).learning_rate == pytest.approx(10 * rate)
    own = Row(name="dpo:learning_rate=1e-3", slug="dpo", settings={"learning_rate": 1e-3})
    assert config_of(method, own, lora, small=True).learning_rate == 1e-3
    assert config_of(method, row, lora, small=True, chosen={"learning_rate": 2e-3}).learning_rate == 2e-3


@pytest.mark.parametrize("words, doubted", [(4.0, True), (9.0, False), (21.0, True)])
def test_a_judge_that_likes_odd_lengths_is_doubted(words, doubted):
    # base writes 10 words: below 5 and above 20 are odd
    rows = [{"method": name, "seed": None, "status": "done", "length": {"mean": mean}, "scorer": None, "slug": name}
            for name, mean in (("base", 10.0), ("dpo", words))]  # fmt: skip
    judged = {"method": "dpo", "baseline": "base", "metric": "judge", "verdict": "better", "difference": 2.0}
    report = {
        "rows": rows, "comparisons": [judged], "curves": [], "seeds": 5,
        "task": {"primary": "judge", "gold_kind": "held-out judge, not truth"},
    }  # fmt: skip
    assert ("the judge may be gamed" in _distrust(report)) == doubted
    exact = {**report, "task": {"primary": "judge", "gold_kind": "exact"}}
    assert "gamed" not in _distrust(exact)


def test_right_answers_of_arithmetic_fit_what_is_drawn():
    # with 24 tokens no problem of three steps or more could be answered
    tokenizer, longest = embedded("arithmetic", seed=0).base().tokenizer, 0
    for pair in embedded("arithmetic", seed=0, pairs=300).pairs("train"):
        longest = max(longest, len(encode_answer(tokenizer, pair.chosen)))
    assert 24 < longest <= answer_tokens("arithmetic")
    assert answer_tokens("reviews") == Options(methods=("base",), model="m", data="d").answer_tokens == 24
    asked = Options(methods=("base",), task="arithmetic", max_tokens=7)
    assert (asked.answer_tokens, replace(asked, max_tokens=None).answer_tokens) == (7, answer_tokens("arithmetic"))
