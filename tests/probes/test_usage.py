"""Contrasts between kinds of markers on tables whose truth is known: planted effects are found, others are not."""

from __future__ import annotations

import numpy as np
import pytest

from operant.probes.answers import Table
from operant.probes.usage import (
    Side,
    contrasts,
    main_measure,
    means,
    measures,
    perplexity,
    resampled,
    spread,
    trust,
    within,
)

STRONG, WEAK = list(range(18)), list(range(18, 49))
SIDE = Side(STRONG, WEAK, "strengtheners less weakeners")


def table(seed, *, effect, questions=100, marker=0.03):
    """49 markers; a question has its own level and its own taste for strength, a marker its own worth."""
    rng = np.random.default_rng(seed)
    level = rng.beta(4, 2, questions)
    taste = rng.normal(0, 0.1, questions)
    worth = rng.normal(0, marker, (49, 1))
    worth[STRONG] += effect
    gold = level + worth + rng.normal(0, 0.08, (49, questions))
    gold[STRONG] += taste
    gold = np.clip(gold, 0, 1)
    return Table(gold, (gold > 0.5).astype(float), np.minimum(1, gold + 0.1), gold / np.minimum(1, gold + 0.1),
                 np.full_like(gold, 0.4))  # fmt: skip


def test_a_usage_of_twenty_points_is_found_in_every_seed_with_its_sign():
    for effect in (-0.2, 0.2):
        found = [contrasts(table(seed, effect=effect), {"strength": SIDE}, rng=np.random.default_rng(0))[0]
                 for seed in range(10)]  # fmt: skip
        assert all(one.p < 0.05 and one.effect * effect > 0 for one in found)
        assert all(abs(one.effect) >= 0.1 for one in found)  # clipping at 0 and 1 takes some of it


def test_without_one_nothing_is_found_but_by_chance():
    found = [contrasts(table(seed, effect=0.0), {"strength": SIDE}, rng=np.random.default_rng(0))[0]
             for seed in range(100)]  # fmt: skip
    assert sum(one.p < 0.05 for one in found) <= 11  # P(12 or more of 100 at 5%) is 0.4%
    assert abs(np.mean([one.effect for one in found])) < 0.02
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.88


def test_the_evidence_quoted_is_what_fresh_tables_give():
    told = [trust(table(seed, effect=-0.2).gold, SIDE, np.random.default_rng(seed)) for seed in range(10)]
    fresh = [contrasts(table(100 + seed, effect=0.05), {"strength": SIDE}, rng=np.random.default_rng(0))[0]
             for seed in range(100)]  # fmt: skip
    power = np.mean([one.p < 0.05 for one in fresh])
    assert np.mean([one.power.rate for one in told]) == pytest.approx(power, abs=0.12)
    assert np.mean([one.false_alarms.rate for one in told]) == pytest.approx(0.05, abs=0.03)
    assert told[0].planted == 0.05


def test_many_properties_are_corrected_for_and_lots_are_dealt():
    sides = {"strength": SIDE, "odd": Side(list(range(1, 49, 2)), list(range(0, 49, 2)), "odd less even")}
    one, other = contrasts(table(3, effect=-0.3), sides, rng=np.random.default_rng(0))
    assert (one.key, other.key) == ("strength", "odd")
    assert "by Holm over 2 properties" in one.name and "0.001 against properties dealt by lot" in one.name
    assert one.power is not None and one.runs > 0
    assert contrasts(table(3, effect=0), {"few": Side([0], [1, 2], "x")}, rng=np.random.default_rng(0)) == []


def test_the_other_measures_and_single_tasks():
    made = table(1, effect=-0.2)
    assert [one.key for one in measures(made, "strength", SIDE)] == [
        "strength correct", "strength mass", "strength share", "strength entropy"
    ]  # fmt: skip
    unknown = np.full_like(made.gold, np.nan)
    bare = made._replace(mass=unknown, share=unknown, entropy=unknown)
    assert [one.key for one in measures(bare, "strength", SIDE)] == ["strength correct"]
    tasks = ["a"] * 50 + ["b"] * 45 + ["c"] * 5
    assert [one.key for one in within(made, "strength", SIDE, tasks)] == ["strength in a", "strength in b"]
    assert within(made, "strength", SIDE, ["a"] * 100) == []


def test_of_whole_sentences_the_share_of_the_set_is_read():
    made = table(2, effect=-0.2)
    long = made._replace(gold=made.gold * 1e-30, mass=made.mass * 1e-30)
    assert (main_measure(made), main_measure(long)) == ("gold", "share")
    (one,) = contrasts(long, {"strength": SIDE}, rng=np.random.default_rng(0))
    assert one.effect == pytest.approx(long.share[STRONG].mean() - long.share[WEAK].mean())
    assert "share of the answer set" in one.name and one.unit == "share"
    assert "strength share" not in [each.key for each in measures(long, "strength", SIDE)]


def test_means_and_the_range_by_hand():
    gold = np.array([[0.2, 0.4], [0.6, 0.8]])
    made = Table(gold, np.array([[0.0, 1.0], [1.0, 1.0]]), gold, gold, gold)
    found = {one.key: one for one in means(made, {"w": [0], "s": [1]}, rng=np.random.default_rng(0))}
    assert found["mean w"].effect == pytest.approx(0.3) and found["mean s correct"].effect == 1.0
    assert (found["mean w"].low, found["mean w"].high) == pytest.approx((0.2, 0.4))  # of two questions, each alone
    (one,) = spread(made, [0, 1], rng=np.random.default_rng(0))
    assert one.effect == pytest.approx(1.0 - 0.5)


def test_a_resampled_interval_has_the_width_of_the_standard_error():
    values = np.random.default_rng(0).normal(size=(1, 400))
    low, high = resampled(values, rng=np.random.default_rng(1))
    assert high - low == pytest.approx(2 * 1.96 / 400**0.5, rel=0.15)


def test_perplexity_is_taken_out():
    rng = np.random.default_rng(0)
    surprise = rng.normal(3, 1, 49)
    made = table(5, effect=0.0, marker=0.0)
    made.gold[:] = 0.5 - 0.1 * surprise[:, None] + rng.normal(0, 0.01, made.gold.shape)
    surprise[STRONG] += 2
    made.gold[STRONG] -= 0.2  # strong ones are rarer by 2 nats, and that is all that is wrong with them
    (one,) = perplexity(made, surprise, STRONG, WEAK)
    assert one.key == "strength beside perplexity" and one.low < 0 < one.high and abs(one.effect) < 0.01
    assert perplexity(made, np.ones(49), STRONG, WEAK) == []
