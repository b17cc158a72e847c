"""Transformed and combined rewards as a method: references, what the transform may and may not change, and the disk."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from random import Random

import pytest
import torch

import tiny
from operant.decoding.tilt import tilt, tilt_to_kl
from operant.errors import BadValue, NotApplicable, OperantError, UnknownName
from operant.meter import metered
from operant.methods import load
from operant.methods.reward.transform_combine_rewards import SHAPES, Config
from operant.methods.reward.transform_combine_rewards.references import (
    Regression,
    by_canned,
    by_constant,
    by_quantile,
    by_regressor,
    rewards_of,
)
from operant.rewards.transform import Combined, Reference, quantile_reference
from operant.schema import Decoding, Products
from tables import Table, answers, prompts

SLUG = "transform-combine-rewards"


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def shaped(name: str, *rewards: list[float], centre: float | list[float] = 0.0, mean=(), spread=()) -> list[float]:
    """A transform over the answers of one prompt; a row of rewards for each property."""
    centres = [centre] * len(rewards) if isinstance(centre, float) else centre
    return SHAPES[name](torch.tensor(rewards), Reference(tuple(centres), mean, spread)).tolist()


# Transforms ------------------------------------------------------------------------------------------------------


def test_each_transform_by_hand():
    # One answer, rewards (4, 1), references (1, 2): leads 3 and -1.
    rewards, centre = ([4.0], [1.0]), [1.0, 2.0]
    expected = {
        "lsc": log(sigmoid(3)) + log(sigmoid(-1)),
        "uncentred": log(sigmoid(4)) + log(sigmoid(1)),
        "raw": 4 + 1,
        "clipped": 2 - 1,  # cut to [-2, 2]
        "sigmoid": sigmoid(3) + sigmoid(-1),
    }
    assert {name: shaped(name, *rewards, centre=centre)[0] for name in expected} == pytest.approx(expected)
    # Means (2, 2) and deviations (4, 0.5): z-scores 1/2 and -2
    assert shaped("normalised", *rewards, mean=(2.0, 2.0), spread=(4.0, 0.5)) == pytest.approx([0.5 - 2])
    assert set(SHAPES) == {*expected, "normalised"}


def test_with_one_reward_the_best_of_n_is_the_same_for_every_n():
    rng = Random(0)
    rewards = [rng.gauss(0, 3) for _ in range(64)]
    transformed = shaped("lsc", rewards, centre=1.7)
    for n in range(1, 65):
        first = rewards[:n]
        assert transformed.index(max(transformed[:n])) == rewards.index(max(first))


def test_with_two_rewards_the_best_may_change():
    # (6, -2) sums to 4 and (1.5, 1.5) to 3; log sigmoids: -0.0025 - 2.127 < 2 * -0.201
    torn_and_fair = [6.0, 1.5], [-2.0, 1.5]
    raw, lsc = shaped("raw", *torn_and_fair), shaped("lsc", *torn_and_fair)
    assert raw == [4.0, 3.0]
    assert lsc == pytest.approx([log(sigmoid(6)) + log(sigmoid(-2)), 2 * log(sigmoid(1.5))], abs=1e-6)
    assert lsc[1] > lsc[0]


def test_tilting_by_it_is_conditioning_on_all_being_good():
    # pi_0 uniform over candidates, beta 1: weights are the normalised products of sigmoid(r_i - ref_i).
    rewards, centre = ([1.0, 0.0, -3.0, 2.0], [0.5, 2.0, 4.0, -1.0]), [0.5, 1.0]
    product = [sigmoid(one - 0.5) * sigmoid(two - 1.0) for one, two in zip(*rewards, strict=True)]
    weights = tilt(torch.tensor(shaped("lsc", *rewards, centre=centre)), beta=1.0).weights
    assert weights.tolist() == pytest.approx([one / sum(product) for one in product], abs=1e-6)
    # beta 1 / 2 is conditioning twice.
    twice = tilt(torch.tensor(shaped("lsc", *rewards, centre=centre)), beta=0.5).weights
    total = sum(one**2 for one in product)
    assert twice.tolist() == pytest.approx([one**2 / total for one in product], abs=1e-6)


def test_without_a_centre_a_high_model_says_nothing_and_a_low_one_is_the_raw_sum():
    # r around +10: log sigmoid(10 + e) = -exp(-10 - e), all below 1e-4. r around -10: the distance itself.
    noise = [0.3, -0.8, 1.1, 0.0]
    high = shaped("uncentred", [10 + e for e in noise])
    assert max(high) - min(high) < 1.1e-4
    low = [-10 + e for e in noise]
    assert shaped("uncentred", low) == pytest.approx(shaped("raw", low), abs=2e-4)
    centred = shaped("lsc", [10 + e for e in noise], centre=10.0)
    assert max(centred) - min(centred) > 0.8


def test_at_equal_kl_the_and_puts_more_mass_where_both_are_good():
    # 128 candidates a prompt; golds in mild conflict (correlation -0.3); proxies noisier the higher they are. Share of
    # mass on candidates with both golds above their 60% quantiles, at KL 1.5 and 3, for each of 5 seeds.
    for seed in range(5):
        rng = torch.Generator().manual_seed(seed)
        shares = {(name, kl): 0.0 for name in ("raw", "lsc") for kl in (1.5, 3.0)}
        for _ in range(12):
            first, other = torch.randn(2, 128, generator=rng)
            gold = torch.stack([first, -0.3 * first + 0.91**0.5 * other])
            proxy = 2 * gold + gold.clamp(min=0) * torch.randn(2, 128, generator=rng)
            both = (gold > gold.quantile(0.6, 1, keepdim=True)).all(0)
            reference = quantile_reference(proxy.T, q=0.85)
            for name, kl in shares:
                weights = tilt_to_kl(SHAPES[name](proxy, reference), kl=kl).weights
                shares[name, kl] += float(weights[both].sum()) / 12
        for kl in (1.5, 3.0):
            assert shares["lsc", kl] > shares["raw", kl] + 0.05, (seed, kl, shares)


# References ------------------------------------------------------------------------------------------------------


class Says:
    """A base whose answers to each prompt are written down."""

    def __init__(self, *texts: str):
        self.texts, self.asked = texts, []

    def answer(self, prompts, *, n, decoding, seed):
        self.asked.append(([prompt.id for prompt in prompts], n))
        return [answers(*self.texts[:n]) for _ in prompts]


RISING = Table({str(n): float(n) for n in range(21)})


def test_the_quantile_of_the_bases_answers():
    # Rewards 0..20: 0.85 of the way is 17.
    base = Says(*RISING.values)
    find = by_quantile(base, {"r": RISING}, q=0.85, samples=21, gaussian=False, decoding=Decoding())
    assert [one.centre for one in find(prompts("p", "q"))] == [(pytest.approx(17.0),)] * 2
    assert base.asked == [(["p", "q"], 21)]
    gaussian = by_quantile(base, {"r": RISING}, q=0.85, samples=21, gaussian=True, decoding=Decoding())
    assert gaussian(prompts("p"))[0].centre == (pytest.approx(10 + 1.0364 * (440 / 12) ** 0.5, abs=1e-3),)


def test_the_best_of_the_canned_answers():
    # For each scorer its own best: 7 of (3, 7), and 5 of (5, 1).
    stock = {"a": Table({"no": 3.0, "sorry": 7.0}), "b": Table({"no": 5.0, "sorry": 1.0})}
    assert by_canned(stock, ("no", "sorry"))(prompts("p")) == [Reference((7.0, 5.0))]
    with pytest.raises(NotApplicable, match="needs stock answers"):
        by_canned(stock, ())


def test_a_constant():
    assert by_constant(2.5, count=2)(prompts("p", "q")) == [Reference((2.5, 2.5))] * 2


def test_a_base_answer_that_cannot_be_scored_leaves_no_reference():
    for table in (Table({"a": 1.0}), Table({"a": 1.0, "b": float("nan")})):
        find = by_quantile(Says("a", "b"), {"r": table}, q=0.5, samples=2, gaussian=False, decoding=Decoding())
        with pytest.raises(OperantError, match="no reference for prompt 'p': r could not score an answer"):
            find(prompts("p"))


def test_a_shift_of_each_prompts_rewards_changes_nothing():
    # Bradley-Terry fixes rewards up to c(x); references move along, and the utilities stay.
    def utilities(offsets):
        table = Table(RISING.values, offsets=offsets)
        find = by_quantile(Says(*RISING.values), {"r": table}, q=0.85, samples=21, gaussian=False, decoding=Decoding())
        scorer = Combined({"r": table}, SHAPES["lsc"], {}, find=find)
        return [one.value for one in scorer.score(prompts("p", "q"), answers("3", "19"))]

    assert utilities({"p": 100.0, "q": -7.0}) == pytest.approx(utilities({}), abs=1e-4)
    # A constant reference does not move along.
    fixed = Combined({"r": Table(RISING.values, offsets={"p": 100.0})}, SHAPES["lsc"], {"p": Reference((17.0,))})
    assert fixed.score(prompts("p"), answers("3"))[0].value == pytest.approx(0.0, abs=1e-4)


def test_rewards_of_keeps_prompts_answers_and_scorers_apart():
    scorers = {"one": RISING, "ten": Table({key: 10 * value for key, value in RISING.values.items()})}
    got = rewards_of(scorers, prompts("p", "q"), [answers("1", "2", "3"), answers("4", "5", "6")])
    assert got.tolist() == [[[1, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]]


def test_the_regressor_reads_mean_and_deviation_off_the_words(tiny_bench):
    # Each reward is 3 where the prompt names a kettle and 0 elsewhere, plus -1 or +1: mean 3 or 0, deviation 1.
    bench = tiny_bench()
    train = [prompt for prompt in tiny.Blind(knobs=replace(tiny.KNOBS, pairs=200)).prompts("train")]
    kettle = {prompt.id: 3.0 for prompt in train if "kettle" in prompt.content}
    assert 3 < len(kettle) < len(train)
    bench.task.prompts = lambda split: train
    bench.pool = lambda prompts, n: [answers("low", "high")] * len(prompts)
    table = Table({"low": -1.0, "high": 1.0}, offsets=kettle)
    find = by_regressor(bench, {"r": table}, q=0.85, samples=2, ridge=1e-3)
    for prompt in train:
        (found,) = find([prompt])
        mean = kettle.get(prompt.id, 0.0)
        assert found.mean[0] == pytest.approx(mean, abs=0.15)
        assert found.spread[0] == pytest.approx(1.0, abs=0.01)
        assert found.centre[0] == pytest.approx(mean + 1.0364, abs=0.15)


def test_a_fitted_regression_survives_the_disk(tmp_path):
    tokenizer = tiny.base().tokenizer
    rng = torch.Generator().manual_seed(0)
    weights, shift = torch.randn(len(tokenizer), 4, generator=rng), torch.randn(4, generator=rng)
    fitted = Regression(tokenizer, weights, shift, 0.85)
    fitted.save(tmp_path / "regression.safetensors")
    some = tiny.graded().prompts("test")
    assert Regression.load(tmp_path / "regression.safetensors", tokenizer, q=0.85)(some) == fitted(some)


# The method ------------------------------------------------------------------------------------------------------


def test_references_come_from_the_base_once_and_are_kept(tiny_bench, tmp_path, monkeypatch):
    bench = tiny_bench()
    products = load(SLUG).run(tiny.config(SLUG), bench)
    counts, base_answer = [], bench.base.answer

    def counted(prompts, *, n, decoding, seed):
        counts.append((n, seed))
        return base_answer(prompts, n=n, decoding=decoding, seed=seed)

    monkeypatch.setattr(bench.base, "answer", counted)
    some = tiny.graded().prompts("test")
    for seed in (1, 2):
        products.generator.answer(some, n=1, decoding=tiny.DECODING, seed=seed)
    # Candidates for either seed, 4 a prompt, and 16 reference samples under their own seed, once.
    assert sorted(n for n, _ in counts) == [4, 4, 16]
    assert [seed for n, seed in counts if n == 16] == [0]
    assert set(products.scorer.references) == {prompt.id for prompt in some}


@pytest.mark.parametrize("transform", ["raw", "uncentred"])
def test_a_transform_without_reference_pays_for_none(transform, tiny_run):
    products, _ = tiny_run(SLUG, transform=transform)
    pairs = tiny.graded().pairs("test")
    with metered() as cost:
        products.scorer.score([pair.prompt for pair in pairs], [pair.chosen for pair in pairs])
    assert cost.sampled_tokens == 0
    assert cost.reward_calls == 2 * len(pairs)  # one for each of two attributes


@pytest.mark.parametrize("transform", ["lsc", "sigmoid", "uncentred", "raw", "clipped", "normalised"])
def test_a_reward_that_is_no_logit_is_warned_of_where_its_sigmoid_is_taken(transform, tiny_bench):
    bench = tiny_bench()
    bench.resolve = lambda slug, settings: Products(scorer=Table({}, scale="raw"))
    if transform in ("lsc", "sigmoid", "uncentred"):
        with pytest.warns(UserWarning, match=r"sentiment \(raw\), formality \(raw\)\..*calibrate them first"):
            load(SLUG).run(tiny.config(SLUG, transform=transform), bench)
    else:
        load(SLUG).run(tiny.config(SLUG, transform=transform), bench)  # a warning would be an error


def test_reward_models_by_attribute_or_one_where_there_is_none(tiny_bench):
    asked = []

    def resolve(slug, settings):
        asked.append((slug, settings.get("attribute")))
        return Products(scorer=Table({}))

    bench = tiny_bench()
    bench.resolve = resolve
    assert set(load(SLUG).run(tiny.config(SLUG), bench).scorer.scorers) == {"sentiment", "formality"}
    bench.task.attributes = ()
    assert set(load(SLUG).run(tiny.config(SLUG), bench).scorer.scorers) == {"preference"}
    assert asked == [("bradley-terry", name) for name in ("sentiment", "formality", None)]


def test_settings_outside_their_range_or_without_effect_are_refused():
    for bad in ({"q": 1.0}, {"constant": 1.0}, {"reference_samples": 1}, {"transform": "raw", "reference": "canned"}):
        with pytest.raises(BadValue):
            Config(**bad)
    with pytest.raises(UnknownName, match="no transform named 'lcs'; did you mean 'lsc'?"):
        Config(transform="lcs")
    with pytest.raises(UnknownName, match="did you mean 'quantile'?"):
        Config(reference="quantil")
    assert Config(reference="constant", constant=1.0).constant == 1.0


# A policy that learns ------------------------------------------------------------------------------------------------

LEARNS = {"optimise": "reinforce", "reference_samples": 4}


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


def test_a_policy_gets_more_of_the_combined_reward(tiny_bench):
    config = tiny.config(SLUG, **LEARNS, policy_rate=3e-3, kl_weight=0.0)
    products = load(SLUG).run(config, tiny_bench(epochs=40))
    known = [one for one in tiny.Blind(knobs=tiny.KNOBS).prompts("train") if one.id in products.scorer.references]

    def paid(policy):
        drawn = policy.answer(known, n=8, decoding=tiny.DECODING, seed=3)
        asked = [prompt for prompt, many in zip(known, drawn, strict=True) for _ in many]
        scores = products.scorer.score(asked, [answer for many in drawn for answer in many])
        return sum(one.value for one in scores) / len(scores)

    assert paid(products.generator) > paid(tiny.base()) + 0.05
    names = {one.name for one in products.findings}
    assert {f"reward of sentiment, {when} quarter of rounds" for when in ("first", "last")} < names


def test_references_are_made_before_the_policy_moves(tiny_bench):
    # Recomputed from the policy they would move along, and nothing would saturate.
    bench = tiny_bench(epochs=20)
    products = load(SLUG).run(tiny.config(SLUG, **LEARNS, policy_rate=3e-3), bench)
    combined = products.scorer
    prompts = [one for one in bench.task.prompts("train") if one.id in combined.references][:3]
    find = by_quantile(
        tiny.base(), combined.scorers, q=0.85, samples=4, gaussian=False, decoding=Decoding(max_tokens=6)
    )  # fmt: skip
    for prompt, wanted in zip(prompts, find(prompts), strict=True):
        assert combined.references[prompt.id].centre == pytest.approx(wanted.centre, abs=1e-4)


@pytest.mark.parametrize(
    "settings", [{"kl_weight": 5.0}, {"policy_prompts": 2}, {"policy_rate": 1e-3}, {"policy_batch": 4}, {"group": 3}],
)  # fmt: skip
def test_each_setting_of_the_policy_has_an_effect(settings, tiny_bench):
    other = load(SLUG).run(tiny.config(SLUG, **LEARNS, **settings), tiny_bench(epochs=8))
    assert not torch.equal(flat(tiny.once(SLUG, epochs=8, **LEARNS)), flat(other))


def test_settings_of_the_policy_are_refused_without_it_and_those_of_sampling_with_it():
    for wrong in ({"kl_weight": 0.5}, {"policy_prompts": 3}, {"group": 8}, {"optimise": "reinforce", "kl": 0.5}):
        with pytest.raises(BadValue):
            Config(**wrong)
