"""Attributions of many prompts: means by hand, token noise above its null, and what changes from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from operant.probes.attributed import alike, by_part, frames, left_out, noise_of, parts_found, totals
from operant.probes.shapley import Attribution

RNG = np.random.default_rng


def attribution(*phi):
    return Attribution(np.array(phi), np.zeros(len(phi)), 0.1, 0.1 + sum(phi))


def test_parts_of_one_name_are_added_up_within_a_prompt():
    found = by_part([["the", "cat", "the"], ["cat"]], [attribution(0.1, 0.2, 0.1), attribution(0.4)])
    assert list(found) == ["cat", "the"]  # .6 in all, then .2
    assert found["cat"].tolist() == [0.2, 0.4] and found["the"] == pytest.approx([0.2])


def test_means_of_parts_by_hand():
    parts = {"a": np.array([0.3, 0.1, 0.2]), "b": np.array([0.1, -0.1, 0.0]), "once": np.array([9.0])}
    found = {one.key: one for one in parts_found(parts, unit="probability", what="background drop", rng=RNG(0))}
    assert set(found) == {"a", "b"}  # one prompt has no spread
    assert found["a"].effect == pytest.approx(0.2) and found["b"].effect == pytest.approx(0.0)
    # standard deviation .1 over 3 prompts; t with 2 degrees of freedom 4.303
    assert found["a"].high == pytest.approx(0.2 + 4.303 * 0.1 / 3**0.5, abs=1e-4)
    assert "background drop" in found["a"].name and found["a"].power is not None
    # what power is told for is ten times as large in nats of odds
    assert parts_found(parts, unit="logit", what="", rng=RNG(0))[0].planted == 10 * found["a"].planted


def test_all_parts_and_each_alone():
    whole = totals([attribution(0.25, 0.35)] * 2, unit="probability", what="x")
    assert whole.effect == pytest.approx(0.6)
    assert left_out([np.array([0.4, 0.5])] * 2, unit="probability").effect == pytest.approx(0.9)


def planted(rng, *, order):
    """30 prompts with eight parts; the option's place is worth `order`, its price .1, the others next to nothing."""
    worth = np.array([order, 0.1, 0, 0, 0, 0, 0, 0]) + rng.normal(0, 0.01, (30, 8))
    return dict(zip(("place", "price", *"cdefgh"), worth.T, strict=True))


def test_a_position_bias_is_recovered_and_carries_more_than_its_share():
    parts = planted(RNG(0), order=0.15)
    assert parts["place"].mean() == pytest.approx(0.15, abs=0.03)
    (found,) = noise_of(parts, {"place"}, rng=RNG(0))
    # .15 of .15 + .1 + six times the mean |normal| of .008, less one part of eight
    assert found.effect == pytest.approx(0.15 / (0.25 + 6 * 0.008) - 1 / 8, abs=0.03)
    assert found.low > 0 and found.p == pytest.approx(1 / 8, abs=0.04)  # the most that one of eight can show
    (several,) = noise_of(parts, {"place", "c", "d"}, rng=RNG(0))
    assert several.effect > 0


def test_without_a_bias_small_words_carry_no_more_than_their_share():
    (found,) = noise_of(planted(RNG(1), order=0.0), {"place", "c", "d"}, rng=RNG(0))
    assert found.effect < 0 and found.p > 0.05
    assert noise_of(planted(RNG(1), order=0.0), set(), rng=RNG(0)) == []


def test_two_attributions_that_agree_or_are_turned_round():
    one = {name: np.array([value, value]) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))}
    (same,) = alike(one, one, what="itself", rng=RNG(0))
    assert (same.effect, same.low, same.high) == pytest.approx((1.0, 1.0, 1.0))
    turned = {name: -values for name, values in one.items()}
    assert alike(one, turned, what="turned", rng=RNG(0))[0].effect == pytest.approx(-1.0)
    assert alike({"a": one["a"]}, one, what="one part alone", rng=RNG(0)) == []


def test_frames_are_paired_by_prompt():
    gain, loss = {"word": np.array([0.3, 0.5, 0.4])}, {"word": np.array([0.1, 0.3, 0.2])}
    found = frames(gain, loss)["word"]
    assert found.effect == pytest.approx(0.2) and found.se == pytest.approx(0.0, abs=1e-12)
