"""Which bonus is paid, in what size; the worlds' shared structure; what a row without bonus is."""

import numpy as np
import pytest
import torch

import tiny
from operant.domains.control.grid import ACTIONS, Grids
from operant.domains.control.tasks.gridworld.task import Gridworld, Knobs
from operant.errors import BadValue
from operant.loops.actor_critic import ActorCritic, Learning, learn_by_acting
from operant.methods.control.global_episodic_bonuses import Config, Novelty, by_world, shared_structure, trained
from operant.rewards.bonuses.distilled import NoveltyDifference
from operant.rewards.bonuses.reached import Reached
from operant.rewards.bonuses.scale import RunningScale

WORLDS = by_world(Gridworld(knobs=Knobs(train=30)).prompts("train"))
SMALL = {"hidden": 8, "num_grids": 2, "unroll": 5}


def step(cell, *, size=6, num=2):
    after = np.zeros((num, size), dtype=np.float32)
    after[:, cell] = 1
    return Reached(np.zeros_like(after), np.zeros(num, dtype=int), after, np.zeros(num, dtype=bool),
                   np.full((num, 2), cell))  # fmt: skip


def novelty(**settings):
    return Novelty(Config(**{**SMALL, **settings}), inputs=6, seed=0)


def unscaled(paid: Novelty, one: Reached):
    paid.scale = lambda values: np.asarray(values)
    return paid.pay(one)


def test_mult_is_the_product_and_add_the_sum():
    # both grids reach the same new cell at once: 1 / sqrt(2) over training, 1 in the episode; then 1 / sqrt(4) and 0
    settings = {"episodic": "first-cell", "lifelong": "counts-cell", "beta": 2.0}
    product, total = novelty(**settings), novelty(**settings, combine="add")
    assert unscaled(product, step(1)).tolist() == pytest.approx([2 * 2**-0.5] * 2)
    assert unscaled(total, step(1)).tolist() == pytest.approx([2 * (2**-0.5 + 1)] * 2)
    assert unscaled(product, step(1)).tolist() == [0, 0]
    assert unscaled(total, step(1)).tolist() == pytest.approx([2 * 0.5] * 2)


def test_with_one_part_left_out_the_other_is_paid_alone():
    assert unscaled(novelty(episodic="none", lifelong="counts-cell"), step(1)).tolist() == pytest.approx([2**-0.5] * 2)
    first = novelty(episodic="elliptical-observation", lifelong="none")
    assert unscaled(first, step(1)).tolist() == pytest.approx([1 / 0.1] * 2)


def test_mult_with_a_noveld_of_one_is_the_elliptical_bonus(monkeypatch):
    monkeypatch.setattr(NoveltyDifference, "__call__", lambda self, step: np.ones(len(step.ended)))
    joined, alone = (
        novelty(episodic="elliptical-observation"),
        novelty(episodic="elliptical-observation", lifelong="none"),
    )
    for cell in (1, 2, 1):
        assert (unscaled(joined, step(cell)) == unscaled(alone, step(cell))).all()


def test_a_bonus_is_paid_in_units_of_its_running_deviation():
    paid = novelty(episodic="first-cell", lifelong="counts-cell")
    scale = RunningScale()
    for cell, raw in ((1, [2**-0.5] * 2), (2, [2**-0.5] * 2), (1, [0.0] * 2)):
        assert paid.pay(step(cell)).tolist() == pytest.approx(scale(np.array(raw)).tolist())


def test_without_weight_the_agent_is_the_base_learner_bit_for_bit():
    prompts = WORLDS["new"][:4]
    got = trained(Config(**SMALL, beta=0.0, learning_rate=1e-3), prompts, updates=6, seed=3)
    grids = Grids([one.content for one in prompts], num=2, horizon=prompts[0].columns["horizon"], seed=3)
    plain = ActorCritic(grids.observation_size, ACTIONS, hidden=8, seed=3)

    class Unpaid:
        def pay(self, one):
            return np.zeros(2, dtype=np.float32)

        def learn(self, steps):
            return {}

    learn_by_acting(plain, grids, Unpaid(), updates=6, learning=Learning(learning_rate=1e-3, unroll=5), seed=5)
    assert all(torch.equal(a, b) for a, b in zip(got.parameters(), plain.parameters(), strict=True))


def test_the_worlds_share_less_and_less():
    same, shared, new = (one.effect for one in shared_structure(WORLDS, seed=0))
    assert list(WORLDS) == ["same", "shared", "new"]
    assert same < 1e-9  # one context: rounding is all that differs
    assert 0.01 < shared < new <= 1


def test_a_row_without_bonus_and_the_row_with_it_spend_the_same_steps(tiny_run):
    spent = {settings: tiny_run("global-episodic-bonuses", **dict([settings]))[1].env_steps
             for settings in (("beta", 0.0), ("beta", 1.0))}  # fmt: skip
    assert len(set(spent.values())) == 1
    assert next(iter(spent.values())) <= tiny.SMALL["env_steps"]


@pytest.mark.parametrize("setting", [{"beta": -1.0}, {"discount": 0.0}, {"unroll": 0}, {"hidden": 0}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(BadValue):
        Config(**setting)
