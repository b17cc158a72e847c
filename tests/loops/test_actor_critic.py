"""Learning by acting, where what is right is known."""

import numpy as np
import pytest
import torch

from operant.loops.actor_critic import ActorCritic, Learning, learn_by_acting, roll_out
from operant.meter import metered
from operant.rewards.bonuses.counts import EpisodicCount
from operant.rewards.bonuses.reached import Reached, cell_key


class Steps:
    """Episodes of two steps; in the second, action 1 pays 1 where the first action was 0."""

    num = 4

    def reset(self):
        self.first, self.early = np.zeros(self.num, dtype=int), True
        return self._seen()

    def step(self, actions):
        rewards = np.zeros(self.num) if self.early else ((self.first == 0) & (actions == 1)).astype(float)
        self.first = actions if self.early else np.zeros(self.num, dtype=int)
        self.early = not self.early
        never, ended = np.zeros(self.num, dtype=bool), np.full(self.num, self.early)
        info = {"final_obs": self._seen(), "cell": np.stack([self.first, self.first], axis=1)}
        return _Stepped(self._seen(), rewards, ended, never, info)

    def _seen(self):
        seen = np.zeros((self.num, 3), dtype=np.float32)
        seen[np.arange(self.num), 0 if self.early else 1 + self.first] = 1
        return seen


class _Stepped(tuple):
    def __new__(cls, *parts):
        return super().__new__(cls, parts)

    observations, rewards, terminated, truncated, info = (property(lambda self, at=at: self[at]) for at in range(5))


class Unpaid:
    def pay(self, step: Reached):
        return np.zeros(len(step.ended), dtype=np.float32)

    def learn(self, steps: Reached):
        return {}


LEARNING = Learning(learning_rate=3e-3, unroll=10)


def agent(seed=0):
    return ActorCritic(3, 2, hidden=16, seed=seed)


def learnt(explorer, *, updates=300, environments=None):
    net = agent()
    learn_by_acting(net, environments or Steps(), explorer, updates=updates, learning=LEARNING, seed=0)
    return net


def test_it_learns_what_pays_two_steps_later():
    chances = learnt(Unpaid())(torch.eye(3))[0].softmax(-1)
    assert chances[0, 0] > 0.95  # first action 0
    assert chances[1, 1] > 0.95  # then action 1


def test_the_critic_knows_the_discounted_return():
    values = learnt(Unpaid())(torch.eye(3))[1]
    assert values[1].item() == pytest.approx(1.0, abs=0.1)
    assert values[0].item() == pytest.approx(0.99, abs=0.1)


def test_the_same_seed_gives_the_same_weights():
    one, two = learnt(Unpaid(), updates=5), learnt(Unpaid(), updates=5)
    assert all((a == b).all() for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_passes_are_metered():
    # 5 updates of 10 steps in 4 environments: forward for every action and again to learn, and for the last states
    with metered() as cost:
        learnt(Unpaid(), updates=5)
    one = 2 * sum(weight.numel() for weight in agent().parameters())
    assert cost.forward_flops == one * 5 * (40 + 40 + 4)
    assert cost.backward_flops == 2 * one * 5 * 40


class Paid(Unpaid):
    """Everything that was asked to be learnt from, and a bonus for first visits."""

    def __init__(self):
        self.bonus, self.seen = EpisodicCount(cell_key, num=4, first_only=True), []

    def pay(self, step):
        return self.bonus(step)

    def learn(self, steps):
        self.seen.append(steps)
        return {"seen": float(len(steps.actions))}


def test_the_bonus_is_part_of_the_reward_and_belongs_to_the_state_reached():
    environments, explorer = Steps(), Paid()
    unroll, _ = roll_out(agent(), environments, explorer, environments.reset(), LEARNING, torch.Generator())
    assert unroll.rewards.shape == (10, 4)
    assert (unroll.rewards[0] == 1).all()  # nothing was visited before
    assert (unroll.discounts[::2] == 0.99).all() and (unroll.discounts[1::2] == 0).all()


def test_what_learns_beside_gets_every_step_once():
    explorer = Paid()
    learnt(explorer, updates=3)
    assert [len(steps.actions) for steps in explorer.seen] == [40, 40, 40]
    first = explorer.seen[0]
    assert first.before.shape == first.after.shape == (40, 3)
