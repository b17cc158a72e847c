"""Exact tilting over candidates, at a temperature or at a KL."""

import math
from collections import Counter

import pytest
import torch
from torch import tensor

from decoding.stubs import DECODING, PROMPTS, ByNumber, Numbers
from operant.decoding.tilt import Resampled, tilt, tilt_to_kl
from operant.errors import BadValue, OperantError
from operant.objectives.transform import log_sigmoid_sum
from operant.schema import Generator

LN2 = math.log(2)


def test_tilt_by_hand():
    # exp(u / beta) = 1, 2, 4, 1: weights 1/8, 1/4, 1/2, 1/8
    # KL to uniform = sum of w ln(4w) = 1/8 ln(1/2) + 1/4 ln 1 + 1/2 ln 2 + 1/8 ln(1/2) = ln 2 / 4
    weights, kl = tilt(tensor([0.0, 2 * LN2, 4 * LN2, 0.0]), beta=2.0)
    assert weights.tolist() == pytest.approx([1 / 8, 1 / 4, 1 / 2, 1 / 8])
    assert kl == pytest.approx(LN2 / 4)


def test_beta_1_conditions_on_every_property_being_good():
    # base uniform over four answers, two properties: weights are the normalised product of sigmoid(r_i - reference_i)
    rewards, references = tensor([[5.0, 0.0, -5.0, 1.0], [-5.0, 0.0, 5.0, 2.0]]), tensor([[0.0] * 4, [1.0] * 4])
    good = torch.sigmoid(rewards.double() - references.double()).prod(0)
    weights, _ = tilt(log_sigmoid_sum(rewards, references), beta=1.0)
    assert weights.tolist() == pytest.approx((good / good.sum()).tolist(), abs=1e-6)
    assert weights[1] > weights[0]  # (0, 0) beats (5, -5), which the raw sum ties
    # beta = 1/2 conditions twice
    twice, _ = tilt(log_sigmoid_sum(rewards, references), beta=0.5)
    assert twice.tolist() == pytest.approx((good**2 / (good**2).sum()).tolist(), abs=1e-6)


def test_minus_infinity_is_never_drawn():
    weights, kl = tilt(tensor([-math.inf, 0.0, 0.0, -math.inf]), beta=1.0)
    assert weights.tolist() == [0.0, 0.5, 0.5, 0.0] and kl == pytest.approx(LN2)
    # even at no pressure at all the KL is ln(4 / 2): what cannot be reached is approached
    assert tilt_to_kl(tensor([-math.inf, 0.0, 1.0, -math.inf]), kl=0.1).kl == pytest.approx(LN2, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, -1e4])
@pytest.mark.parametrize("target", [0.0, 0.01, 0.5, 1.5, 3.0, 4.0])
def test_the_target_is_reached(target, offset, scale):
    rng = torch.Generator().manual_seed(0)
    utilities = scale * (torch.randn(128, generator=rng, dtype=torch.float64) + offset)
    weights, kl = tilt_to_kl(utilities, kl=target)
    assert kl == pytest.approx(target, abs=1e-6)
    assert float(weights.sum()) == pytest.approx(1)
    assert float((weights * (weights * 128).clamp(min=1e-300).log()).sum()) == pytest.approx(target, abs=1e-6)
    order = utilities.argsort()
    assert (weights[order].diff() >= 0).all()  # more utility, more weight


def test_no_more_than_ln_n_can_be_reached():
    top = tilt_to_kl(tensor([3.0, 1.0, 2.0, 0.0]), kl=50.0)
    assert top.kl == pytest.approx(math.log(4)) and top.weights.tolist() == pytest.approx([1, 0, 0, 0])
    tied = tilt_to_kl(tensor([3.0, 1.0, 3.0, 0.0]), kl=50.0)  # two share the top: ln(4 / 2)
    assert tied.kl == pytest.approx(LN2) and tied.weights.tolist() == pytest.approx([0.5, 0, 0.5, 0])
    equal = tilt_to_kl(tensor([7.0, 7.0, 7.0]), kl=1.0)
    assert equal.kl == pytest.approx(0) and equal.weights.tolist() == pytest.approx([1 / 3] * 3)


def test_what_has_no_weights_is_refused():
    for utilities in (tensor([-math.inf, -math.inf]), tensor([math.nan, 0.0]), tensor([math.inf, 0.0])):
        with pytest.raises(OperantError):
            tilt(utilities, beta=1.0)
        with pytest.raises(OperantError):
            tilt_to_kl(utilities, kl=0.5)
    with pytest.raises(BadValue, match="beta"):
        tilt(tensor([0.0, 1.0]), beta=0.0)
    with pytest.raises(BadValue, match="kl"):
        tilt_to_kl(tensor([0.0, 1.0]), kl=-0.1)


def resampled(**changes):
    return Resampled(Numbers(), ByNumber(), **{"candidates": 16, "kl": 1.0} | changes)


def texts(generator, *, n, seed=0, prompts=PROMPTS):
    drawn = generator.answer(prompts, n=n, decoding=DECODING, seed=seed)
    return [[answer.value for answer in many] for many in drawn]


def test_the_draw_is_seeded():
    first = texts(resampled(), n=8)
    assert texts(resampled(), n=8) == first
    assert texts(resampled(), n=1) == [many[:1] for many in first]
    assert texts(resampled(), n=8, prompts=PROMPTS[::-1]) == first[::-1]
    assert texts(resampled(), n=8, seed=1) != first


def test_candidates_are_drawn_with_their_weights():
    generator, n = resampled(candidates=4, kl=0.5), 4000
    [many] = texts(generator, n=n, prompts=PROMPTS[:1])
    [(_, _, seed)] = generator.base.asked
    values = [answer.value for answer in Numbers().answer(PROMPTS[:1], n=4, decoding=DECODING, seed=seed)[0]]
    weights = tilt_to_kl(tensor([float(value) for value in values]), kl=0.5).weights.tolist()
    seen = Counter(many)
    for value, weight in zip(values, weights, strict=True):  # five standard deviations
        assert seen[value] / n == pytest.approx(weight, abs=5 * math.sqrt(weight * (1 - weight) / n) + 1e-9)


def test_its_kl_is_that_of_the_weights_and_called_a_bound():
    generator = resampled(kl=1.0)
    answers = [many[0] for many in generator.answer(PROMPTS, n=1, decoding=DECODING, seed=0)]
    kl = generator.kl(object(), PROMPTS, answers)
    assert kl.kind == "bound" and kl.values == pytest.approx((1.0,) * 3, abs=1e-6)
    assert generator.logps(PROMPTS, answers) is None


def test_unknown_candidates_are_never_drawn():
    generator = Resampled(Numbers(), ByNumber(lambda x: None if x > 300 else float(x)), candidates=16, kl=1.0)
    assert all(int(value) <= 300 for many in texts(generator, n=20) for value in many)


def test_the_ladder_is_its_points(tmp_path):
    generator = resampled(kl=1.5, ladder=(0.5, 1.5))
    assert [(point.knob, point.value, point.generator.target) for point in generator.points()] == [
        ("kl", 0.5, 0.5), ("kl", 1.5, 1.5),
    ]  # fmt: skip
    assert isinstance(generator, Generator)
    generator.save(tmp_path)
    assert (tmp_path / "base" / "base.txt").is_file() and (tmp_path / "scorer" / "scorer.txt").is_file()
    with pytest.raises(BadValue, match="candidates"):
        resampled(candidates=1)
    with pytest.raises(BadValue, match="kl"):
        resampled(kl=-1.0)
