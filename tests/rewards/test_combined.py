"""Centred, combined rewards as a scorer: an AND where the raw sum is a trade, and nothing unknown becomes a number."""

from __future__ import annotations

from math import exp, log, log1p

import pytest
import torch

from operant.errors import BadValue, OperantError
from operant.objectives.transform import log_sigmoid_sum, raw_sum
from operant.rewards.transform import Combined, Reference, quantile_reference
from tables import Table, answers, prompts

inf, nan = float("inf"), float("nan")


def lsc(rewards, reference):
    return log_sigmoid_sum(rewards, torch.tensor(reference.centre).unsqueeze(1).expand_as(rewards))


def raw(rewards, _):
    return raw_sum(rewards, torch.ones(len(rewards)))


def combined(*tables, transform=lsc, centre=0.0, **more):
    references = {"p": Reference((centre,) * len(tables))}
    return Combined({f"r{place}": table for place, table in enumerate(tables)}, transform, references, **more)


def values(scorer, *texts):
    return [one.value for one in scorer.score(prompts("p") * len(texts), answers(*texts))]


def test_an_and_and_a_trade():
    # rewards (5, -5) and (0, 0): raw sums tie; log-sigmoids give -log(1+e^-5) - log(1+e^5) and -2 log 2
    tables = (Table({"torn": 5.0, "fair": 0.0}), Table({"torn": -5.0, "fair": 0.0}))
    assert values(combined(*tables, transform=raw), "torn", "fair") == [0.0, 0.0]
    got = values(combined(*tables), "torn", "fair")
    assert got == pytest.approx([-log1p(exp(-5)) - log1p(exp(5)), -2 * log(2)])
    assert got[1] > got[0]
    # Summed before the transform it is no AND: log sigmoid(0) for both.
    summed = combined(
        *tables, transform=lambda r, _: log_sigmoid_sum(r.sum(0, keepdim=True), torch.zeros(1, r.shape[1]))
    )
    assert values(summed, "torn", "fair") == pytest.approx([-log(2), -log(2)])


def test_its_exponential_is_the_product_of_chances():
    # (2, -1) against (0.5, 0.5): sigmoid(1.5) * sigmoid(-1.5)
    scorer = combined(Table({"a": 2.0}), Table({"a": -1.0}), centre=0.5)
    assert exp(values(scorer, "a")[0]) == pytest.approx(1 / (1 + exp(-1.5)) / (1 + exp(1.5)), abs=1e-6)


def test_a_comparison_is_the_sigmoid_of_the_difference():
    scorer = combined(Table({"a": 1.0, "b": -1.0}))
    difference = -log1p(exp(-1)) + log1p(exp(1))  # = 1
    assert scorer.compare(prompts("p"), answers("a"), answers("b")) == [pytest.approx(1 / (1 + exp(-difference)))]


def test_the_parts_are_the_raw_rewards():
    (one,) = combined(Table({"a": 3.0}), Table({"a": -2.0})).score(prompts("p"), answers("a"))
    assert one.parts == {"r0": 3.0, "r1": -2.0}


def test_unknown_stays_unknown_and_says_why():
    scorer = combined(Table({"a": 1.0, "b": 1.0}), Table({"a": 1.0}))
    known, unknown = scorer.score(prompts("p", "p"), answers("a", "b"))
    assert known.value is not None
    assert (unknown.value, unknown.why) == (None, "r1: 'b' is not in the table")
    assert scorer.compare(prompts("p"), answers("a"), answers("b")) == [None]


def test_nan_is_an_error_that_names_prompt_and_scorer():
    with pytest.raises(OperantError, match="r1 gave NaN to an answer of prompt 'p'"):
        values(combined(Table({"a": 1.0}), Table({"a": nan})), "a")


def test_infinite_rewards_are_allowed():
    # log sigmoid(-inf) = -inf, log sigmoid(inf) = 0
    assert values(combined(Table({"a": -inf, "b": inf})), "a", "b") == [-inf, 0.0]


def test_inf_minus_inf_is_refused():
    with pytest.raises(BadValue, match="reward of sample 0"):
        values(combined(Table({"a": inf}), Table({"a": -inf}), transform=raw), "a")


def test_a_missing_reference_is_an_error_and_never_zero():
    scorer = combined(Table({"a": 1.0}))
    with pytest.raises(OperantError, match="prompt 'q' has no reference reward"):
        scorer.score(prompts("p", "q"), answers("a", "a"))


@pytest.mark.parametrize("centre", [(nan,), (inf,), (), (0.0, 0.0)])
def test_a_reference_must_be_one_finite_number_a_scorer(centre):
    scorer = combined(Table({"a": 1.0}), find=lambda prompts: [Reference(centre)] * len(prompts))
    with pytest.raises(OperantError, match="the reference rewards of prompt 'q' are .*; expected one finite number"):
        scorer.score(prompts("q"), answers("a"))


def test_no_reward_model_is_an_error():
    with pytest.raises(BadValue, match="scorers is 0; expected at least one"):
        Combined({}, lsc, {})


def test_references_are_found_once_for_each_prompt():
    asked = []

    def find(missing):
        asked.append([prompt.id for prompt in missing])
        return [Reference((1.0,))] * len(missing)

    scorer = combined(Table({"a": 1.0}), find=find)
    scorer.score(prompts("q", "r", "q", "p"), answers("a", "a", "a", "a"))
    scorer.score(prompts("q", "r"), answers("a", "a"))
    assert asked == [["q", "r"]]


def test_quantile_by_hand():
    # 0, 1, ..., 20: the 0.85-quantile is 17, the mean 10, the population variance (21^2 - 1) / 12
    rewards = torch.arange(21.0).unsqueeze(1)
    found = quantile_reference(rewards, q=0.85)
    assert found.centre == (pytest.approx(17.0),)
    assert (found.mean, found.spread) == ((10.0,), (pytest.approx((440 / 12) ** 0.5),))


def test_gaussian_quantile_by_hand():
    # rewards 1 and 3: mean 2, deviation 1; z of 0.85 is 1.036, of 0.5 is 0
    rewards = torch.tensor([[1.0], [3.0]])
    assert quantile_reference(rewards, q=0.85, gaussian=True).centre == (pytest.approx(2 + 1.036, abs=1e-3),)
    assert quantile_reference(rewards, q=0.5, gaussian=True).centre == (pytest.approx(2.0),)


def test_both_quantiles_agree_on_a_gaussian_sample():
    rewards = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0)) * 2 + 5
    exact = quantile_reference(rewards, q=0.85).centre[0]
    assert quantile_reference(rewards, q=0.85, gaussian=True).centre[0] == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("q", [0.0, 1.0, -1.0])
def test_a_quantile_lies_between_zero_and_one(q):
    with pytest.raises(BadValue, match="q is"):
        quantile_reference(torch.zeros(4, 1), q=q)
