"""An agent that learns by acting in many environments at once: roll out, pay bonuses, learn; again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from operant.models.mlp import charge_pass, mlp
from operant.objectives.vtrace import actor_critic_loss, vtrace
from operant.rewards.bonuses.reached import Floats, Reached
from operant.training.track import tell


class Environments(Protocol):
    """As many environments stepped at once, with gymnasium's `step` that begins anew in the same step."""

    num: int

    def reset(self) -> Floats: ...

    def step(self, actions: NDArray[np.int64]) -> Any: ...


class Explorer(Protocol):
    """What pays for novelty beside the task's reward."""

    def pay(self, step: Reached) -> Floats:
        """[envs], already weighted."""
        ...

    def learn(self, steps: Reached) -> dict[str, float]:
        """Whatever of it learns does so from steps of one unroll; named losses for the log."""
        ...


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Settings of the learner; defaults of the release of arXiv:2306.03236."""

    learning_rate: float = 1e-4
    discount: float = 0.99
    entropy: float = 0.005  # weight, per nat
    value: float = 0.5  # weight of the critic's loss
    unroll: int = 80  # steps of each environment between two updates
    clip: float = 40.0  # of the gradient's norm


class ActorCritic(nn.Module):
    """A torso of two layers that actor and critic share."""

    def __init__(self, inputs: int, actions: int, *, hidden: int, seed: int):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.torso = mlp((inputs, hidden, hidden), rng=rng)
        self.actor = mlp((hidden, actions), rng=rng)
        self.critic = mlp((hidden, 1), rng=rng)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [..., actions] and values [...]."""
        found = torch.relu(self.torso(observations))
        return self.actor(found), self.critic(found).squeeze(-1)


class Unroll(NamedTuple):
    """Steps of every environment, [steps, envs, ...]."""

    before: Tensor
    actions: Tensor
    rewards: Tensor  # of the task, with what was paid for novelty
    discounts: Tensor
    logps: Tensor  # of the actions under the policy that took them
    reached: Reached  # the same steps flat, [steps * envs, ...]


def learn_by_acting(
    agent: ActorCritic, environments: Environments, explorer: Explorer, *, updates: int, learning: Learning, seed: int
) -> None:
    """Updates the agent in place; losses are summed over an unroll and followed by RMSProp, as in IMPALA."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.RMSprop(agent.parameters(), lr=learning.learning_rate, alpha=0.99, eps=1e-5)
    observations = environments.reset()
    for update in range(updates):
        unroll, observations = roll_out(agent, environments, explorer, observations, learning, rng)
        parts = _update(agent, optimizer, unroll, torch.from_numpy(observations), learning)
        tell({**parts, **explorer.learn(unroll.reached)}, update + 1)


@torch.no_grad()
def roll_out(
    agent: ActorCritic, environments: Environments, explorer: Explorer, observations: Floats, learning: Learning,
    rng: torch.Generator,
) -> tuple[Unroll, Floats]:  # fmt: skip
    """`unroll` steps of every environment; and what is seen after them."""
    lines: list[tuple[Any, ...]] = []
    for _ in range(learning.unroll):
        seen = torch.from_numpy(observations)
        logits, _ = agent(seen)
        charge_pass(agent, seen)
        actions = torch.multinomial(logits.softmax(-1), 1, generator=rng)
        logps = logits.log_softmax(-1).gather(-1, actions).squeeze(-1)
        stepped = environments.step(actions.squeeze(-1).numpy())
        ended = stepped.terminated | stepped.truncated
        reached = Reached(observations, actions.squeeze(-1).numpy(), stepped.info["final_obs"], ended,
                          stepped.info["cell"])  # fmt: skip
        lines.append((*reached, stepped.rewards + explorer.pay(reached), logps.numpy()))
        observations = stepped.observations
    stacked = [np.stack(column) for column in zip(*lines, strict=True)]
    before, actions_taken, _, ended, _, rewards, logps_taken = (torch.from_numpy(one) for one in stacked)
    flat = Reached(*(one.reshape(-1, *one.shape[2:]) for one in stacked[:5]))
    discounts = learning.discount * (~ended).float()
    return Unroll(before, actions_taken, rewards.float(), discounts, logps_taken, flat), observations


def _update(
    agent: ActorCritic, optimizer: torch.optim.Optimizer, unroll: Unroll, after: Tensor, learning: Learning
) -> dict[str, float]:
    logits, values = agent(unroll.before)
    with torch.no_grad():
        following = agent(after)[1]
    charge_pass(agent, unroll.before, backward=True)
    charge_pass(agent, after)
    taken = logits.log_softmax(-1).gather(-1, unroll.actions[..., None]).squeeze(-1)
    told = vtrace(taken.detach() - unroll.logps, unroll.rewards, values.detach(), following, discounts=unroll.discounts)
    parts = actor_critic_loss(logits, values, unroll.actions, told)
    loss = parts.policy.sum() + learning.value * parts.value.sum() - learning.entropy * parts.entropy.sum()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(agent.parameters(), learning.clip)
    optimizer.step()
    return {"loss": float(loss.detach()), "entropy": float(parts.entropy.mean().detach()),
            "reward": float(unroll.rewards.mean())}  # fmt: skip
