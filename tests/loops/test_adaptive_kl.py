"""The weight of a KL penalty by hand, and over rounds."""

from __future__ import annotations

import pytest

from operant.loops.adaptive_kl import AdaptiveKL, next_beta, round_kl
from operant.loops.rounds import Kept, Round
from operant.models.text import Encoded


def kept(kl):
    return Kept(Encoded((1,), (2, 3)), old=(-1.0, -1.0), reference=(-1.0, -1.0 - kl), reward=0.0, advantage=0.0)


def test_the_controller_by_hand():
    # (1.0 - 0.5) / 0.5 = 1, clipped to 0.2: 0.005 x 1.02; (0 - 0.5) / 0.5 = -1, clipped to -0.2
    assert next_beta(0.005, 1.0, target=0.5) == pytest.approx(0.005 * 1.02) == pytest.approx(0.0051)
    assert next_beta(0.005, 0.0, target=0.5) == pytest.approx(0.0049)
    assert next_beta(0.005, 0.55, target=0.5) == pytest.approx(0.005 * (1 + 0.1 * 0.1))


def test_the_kl_of_a_round_is_summed_over_tokens_and_averaged_over_answers():
    assert round_kl([kept(0.5), kept(1.5)]) == pytest.approx(1.0)
    assert round_kl([]) == 0


def test_every_round_has_one_weight_however_often_it_is_asked_for_and_a_later_run_knows_it(tmp_path):
    made = AdaptiveKL(0.005, 0.5, tmp_path)
    first, second = (Round(number, ((kept(1.0),),), 0.0) for number in range(2))
    assert made.beta(first) == made.beta(first) == 0.005
    assert made.beta(second) == pytest.approx(0.0051)
    again = AdaptiveKL(0.005, 0.5, tmp_path)
    assert (again.beta(first), again.beta(second)) == (0.005, made.beta(second))
    assert again.betas[2] == pytest.approx(0.005 * 1.02**2)


def test_no_weight_stays_none(tmp_path):
    made = AdaptiveKL(0.0, 0.5, tmp_path)
    assert [made.beta(Round(number, ((kept(9.0),),), 0.0)) for number in range(3)] == [0.0, 0.0, 0.0]
    assert made.kls == pytest.approx([9.0] * 3)
