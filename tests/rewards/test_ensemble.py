"""Ensembles: the worked aggregates, what offsets and scales do, unknown rewards, the disk."""

from math import log, sqrt

import numpy as np
import pytest
import torch

import tiny
from operant.errors import BadValue, OperantError, UnknownName
from operant.models.heads import new_reward_head
from operant.objectives import bradley_terry_loss, centred_bradley_terry_loss
from operant.rewards.ensemble import Ensemble, Level, aggregate, level_of
from operant.rewards.model import RewardModel
from operant.schema import Answer, Prompt, Score
from operant.stats import best_of_n_kl

TOY = np.array([[1.0], [2.0], [6.0]])
PROMPTS = [Prompt(id=str(place), content="p") for place in range(3)]
ANSWERS = [Answer(value=str(place)) for place in range(3)]


class Fixed:
    """A scorer that gives these values, whatever is asked."""

    scale = "logit"

    def __init__(self, *values):
        self.values = values

    def score(self, prompts, answers):
        return [Score(value=value, why="" if value is not None else "cannot tell") for value in self.values]


def test_the_worked_aggregates():
    # 1, 2, 6: mean 3, median 2, min 1; population variance (4 + 1 + 9) / 3, so mean - std = 3 - sqrt(14/3) = 0.839753
    assert aggregate(TOY, "mean")[0] == 3.0
    assert aggregate(TOY, "median")[0] == 2.0
    assert aggregate(TOY, "min")[0] == 1.0
    assert aggregate(TOY, "mean_minus_std")[0] == pytest.approx(3 - sqrt(14 / 3))
    assert aggregate(TOY, "mean_minus_std")[0] == pytest.approx(0.839753, abs=1e-6)
    assert aggregate(TOY, "mean_minus_std", weight=0.0)[0] == 3.0


@pytest.mark.parametrize("how", ["mean", "median", "min", "mean_minus_std"])
def test_one_member_or_equal_members_are_the_member(how):
    rewards = np.array([[0.3, -1.0, 2.0]])
    assert aggregate(rewards, how).tolist() == [0.3, -1.0, 2.0]
    assert aggregate(np.repeat(rewards, 4, 0), how).tolist() == pytest.approx([0.3, -1.0, 2.0])


@pytest.mark.parametrize("how", ["mean", "median", "min", "mean_minus_std"])
def test_an_offset_of_all_members_shifts_every_aggregate_by_it(how):
    rewards = np.random.default_rng(0).normal(size=(3, 5))
    assert aggregate(rewards + 7, how) == pytest.approx(aggregate(rewards, how) + 7)


def test_an_offset_of_one_member_changes_what_min_chooses():
    # members (0, 1) and (1, 0): min 0, 0; with 10 added to the second it is the first member's order that decides
    rewards = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert aggregate(rewards, "min").tolist() == [0.0, 0.0]
    assert aggregate(rewards + np.array([[0.0], [10.0]]), "min").tolist() == [0.0, 1.0]


def test_standardised_members_do_not_hang_on_scale_and_offset():
    # z-scored on the same answers, the order of the mean is the same after 3 r - 5 of one member
    rewards = np.random.default_rng(1).normal(size=(2, 8))
    other = rewards * np.array([[1.0], [3.0]]) - np.array([[0.0], [5.0]])
    orders = []
    for one in (rewards, other):
        levels = [level_of(member.tolist()) for member in one]
        scaled = np.array([(member - level.mean) / level.std for member, level in zip(one, levels, strict=True)])
        orders.append(aggregate(scaled, "mean").argsort().tolist())
    assert orders[0] == orders[1]
    assert level_of([1.0, 3.0]) == Level(2.0, 1.0)
    with pytest.raises(OperantError, match="cannot be scaled"):
        level_of([2.0, 2.0])


def test_scores_carry_members_and_their_disagreement():
    made = Ensemble([Fixed(1.0, 0.0, 4.0), Fixed(3.0, 0.0, 0.0)])
    found = made.score(PROMPTS, ANSWERS)
    assert [one.value for one in found] == [2.0, 0.0, 2.0]
    assert found[0].parts == {"member 0": 1.0, "member 1": 3.0, "uncertainty": 1.0}
    assert made.score([], []) == []


def test_unknown_stays_unknown_and_nan_is_an_error():
    found = Ensemble([Fixed(1.0, None, 4.0), Fixed(3.0, 0.0, 0.0)]).score(PROMPTS, ANSWERS)
    assert found[1].value is None and found[1].why == "1 of 2 members could not tell"
    assert found[0].value == 2.0
    with pytest.raises(OperantError, match="gave NaN to an answer of prompt '1'"):
        Ensemble([Fixed(1.0, float("nan"), 4.0)]).score(PROMPTS, ANSWERS)


def test_wrong_settings_are_refused():
    with pytest.raises(UnknownName, match="no aggregate named 'avg'"):
        Ensemble([Fixed(1.0)], how="avg")
    with pytest.raises(BadValue, match="members"):
        Ensemble([])
    with pytest.raises(BadValue, match="weight"):
        Ensemble([Fixed(1.0)], weight=-1.0)


def test_saved_and_loaded_it_scores_alike(tmp_path):
    base, members = tiny.base(), []
    for seed in range(2):
        head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(seed))
        members.append(RewardModel(head, base.tokenizer, max_length=96))
    made = Ensemble(members, how="mean_minus_std", weight=0.5, levels=[Level(0.1, 2.0), Level(-0.2, 0.5)])
    made.save(tmp_path)
    pairs = tiny.graded().pairs("test")
    asked = [pair.prompt for pair in pairs], [pair.chosen for pair in pairs]
    assert Ensemble.load(tmp_path).score(*asked) == made.score(*asked)


def test_the_centring_penalty_by_hand():
    # rewards 3 and 1: -log sigmoid(2) + 0.01 x 16; an offset leaves the first part alone and moves the second
    chosen, rejected = torch.tensor([3.0]), torch.tensor([1.0])
    plain = bradley_terry_loss(chosen, rejected)
    assert torch.allclose(centred_bradley_terry_loss(chosen, rejected, weight=0.01), plain + 0.16)
    assert torch.allclose(centred_bradley_terry_loss(chosen - 2, rejected - 2, weight=0.01), plain)


def test_the_kl_of_the_best_of_64():
    assert best_of_n_kl(64) == pytest.approx(log(64) - 63 / 64)
