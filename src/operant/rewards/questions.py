"""Which comparisons to ask a new user for: those whose verdicts, whatever they are, tell most about them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from operant.errors import require
from operant.meter import charge
from operant.rewards.user_latent import Gaussian
from operant.rewards.user_model import UserRewardModel
from operant.schema import Pair

SETS = 64  # sets of questions that are tried
VERDICTS = 16  # lists of verdicts that each is tried with


def information(belief: Gaussian) -> Tensor:
    """How much verdicts tell, from the beliefs [lists of verdicts, latent] that they would lead to.

    1/2 * sum over dimensions of log(total variance) - mean log variance, where the total variance of a dimension is the
    mean of its variances and the variance of its means. 0 where every verdict leads to the same belief; nats.
    Source: the control half of the code of Poddar et al. 2024, arXiv:2408.10075.
    """
    total = belief.log_variance.exp().mean(0) + belief.mean.var(0, correction=0)
    return 0.5 * (total.log() - belief.log_variance.mean(0)).sum()


@torch.no_grad()
def most_telling(model: UserRewardModel, pairs: Sequence[Pair], *, num: int, seed: int) -> list[int]:
    """Places of the `num` comparisons to ask for, of random sets the one that tells most.

    Verdicts of `pairs` are not read: who is chosen and who is rejected there is taken for left and right.
    """
    require(1 <= num <= len(pairs), "num", num, f"between 1 and the {len(pairs)} pairs there are")
    rng = torch.Generator().manual_seed(seed)
    prompts = [pair.prompt for pair in pairs]
    sides = torch.stack([model.features(prompts, [pair.chosen for pair in pairs]),
                         model.features(prompts, [pair.rejected for pair in pairs])])  # fmt: skip
    charge(forward_flops=model.net.encoding_flops() * SETS * VERDICTS * num)
    found: list[tuple[float, list[int]]] = []
    for _ in range(SETS):
        places = torch.randperm(len(pairs), generator=rng)[:num]
        won = torch.randint(2, (VERDICTS, num), generator=rng)
        chosen, rejected = sides[won, places], sides[1 - won, places]
        belief = model.net.infer(chosen, rejected, torch.ones(VERDICTS, num, dtype=torch.bool))
        found.append((float(information(belief)), places.tolist()))
    return max(found, key=lambda one: one[0])[1]
