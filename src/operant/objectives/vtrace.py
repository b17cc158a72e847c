"""Actor-critic learning from steps that an older policy took. No gradient goes through targets or advantages."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


class VTrace(NamedTuple):
    targets: Float[Tensor, "steps envs"]  # what the critic should say of the state before each step
    advantages: Float[Tensor, "steps envs"]


class ActorCritic(NamedTuple):
    """Parts of the loss, one value a step each; nothing is weighted yet."""

    policy: Float[Tensor, "steps envs"]
    value: Float[Tensor, "steps envs"]
    entropy: Float[Tensor, "steps envs"]  # nats, of the policy at each step


@torch.no_grad()
def vtrace(
    log_ratios: Float[Tensor, "steps envs"], rewards: Float[Tensor, "steps envs"],
    values: Float[Tensor, "steps envs"], following: Float[Tensor, " envs"], *,
    discounts: Float[Tensor, "steps envs"], clip: float = 1.0,
) -> VTrace:  # fmt: skip
    """Targets corrected for the policy that acted having been an older one.

    delta_t = rho_t (r_t + gamma_t V_{t+1} - V_t);  v_t = V_t + delta_t + gamma_t c_t (v_{t+1} - V_{t+1});
    advantage_t = rho_t (r_t + gamma_t v_{t+1} - V_t), with rho and c the ratios pi / mu, cut off at `clip`.

    Args:
        log_ratios: log pi(a) - log mu(a), nats; 0 everywhere gives the n-step return.
        following: value of the state after the last step.
        discounts: gamma, and 0 where the episode ended.
    Source: IMPALA, Espeholt et al. 2018, arXiv:1802.01561, eq. 1 and sec. 4.2 (both thresholds 1).
    """
    ratios = log_ratios.exp().clamp(max=clip)
    next_values = torch.cat([values[1:], following[None]])
    deltas = ratios * (rewards + discounts * next_values - values)
    above, carried = torch.zeros_like(values), torch.zeros_like(following)
    for step in reversed(range(len(rewards))):
        carried = deltas[step] + discounts[step] * ratios[step] * carried
        above[step] = carried
    targets = values + above
    next_targets = torch.cat([targets[1:], following[None]])
    return VTrace(targets, ratios * (rewards + discounts * next_targets - values))


def actor_critic_loss(
    logits: Float[Tensor, "steps envs actions"], values: Float[Tensor, "steps envs"],
    actions: Int[Tensor, "steps envs"], told: VTrace,
) -> ActorCritic:  # fmt: skip
    """-log pi(a) * advantage; half the squared error of the value; entropy.

    Source: IMPALA, Espeholt et al. 2018, arXiv:1802.01561, sec. 4.2.
    """
    logps = F.log_softmax(logits, -1)
    taken = logps.gather(-1, actions[..., None]).squeeze(-1)
    entropy = -(logps.exp() * logps).sum(-1)
    return ActorCritic(-taken * told.advantages, 0.5 * (told.targets - values) ** 2, entropy)
