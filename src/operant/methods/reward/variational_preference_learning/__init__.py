"""Variational preference learning (Poddar et al. 2024): a reward for each user, from a few of their comparisons.

One reward model for all averages over people who disagree. Here an encoder reads two to eight comparisons of a user
into a belief about them, and a decoder rewards answers given a draw from it; both are trained as a variational
autoencoder of verdicts. A new user needs no training, and the belief says what to ask them next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.engine.policy import loading_of
from operant.errors import NotApplicable, require
from operant.meter import charge
from operant.methods.reward.variational_preference_learning.examples import Example, Table, Users, examples, users_of
from operant.methods.reward.variational_preference_learning.findings import HeldOut
from operant.objectives.hidden_context import categorical_loss, mean_variance_loss
from operant.objectives.latent import cyclical_cosine, gaussian_kl
from operant.objectives.reward import bradley_terry_loss
from operant.rewards.user_latent import Gaussian, Knows, Shape, UserReward, drawn
from operant.rewards.user_model import Reading, UserRewardModel
from operant.schema import Bench, Pair, Policy, Products
from operant.training.budgeted import Fit, Stage, schedule_for
from operant.training.fit import fit
from operant.training.held_out import held_out

Model = Literal["reward", "classifier", "plain", "mean_variance", "categorical", "oracle"]
KNOWS: dict[Model, Knows] = {
    "reward": "user", "classifier": "user", "oracle": "group",
    "plain": "nothing", "mean_variance": "nothing", "categorical": "nothing",
}  # fmt: skip
OUTPUTS: dict[Model, int] = {"mean_variance": 2, "categorical": 10}  # others have one
ENTROPY = 0.1  # of the categorical model, as in the authors' code


@dataclass(frozen=True, kw_only=True)
class Config:
    model: Model = "reward"  # classifier: of two answers; the others know no user, or their group: to compare with
    user_column: str = "user"  # of the prompts: who judged the pair
    group_column: str = "group"  # the user's group: the oracle learns from it, and a probe looks for it
    fewest: int = 2  # comparisons that a user is known by in training
    most: int = 8  # the same at most, and at test time
    layer: int = -1  # of the language model, whose states are texts' vectors; 0 is its word embeddings
    latent: int = 512
    hidden: int = 512
    kl_weight: float = 1e-4  # Pets; 3e-6 for UltraFeedback-P
    cycle: int = 10_000  # steps in which the weight climbs
    floor: float = 0.1  # where it starts from
    prior: Literal["standard", "learned"] = "standard"
    normalize_eval: bool = True  # put the belief's mean on the sphere at test time, as draws are in training
    held_out: float = 0.1  # share of the training prompts that findings are made on
    comparisons: int = 1000  # answers that the classifier sets each answer against
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 2

    def __post_init__(self) -> None:
        require(0 < self.fewest <= self.most, "fewest and most", (self.fewest, self.most), "1 or more, in this order")
        require(self.kl_weight >= 0, "kl_weight", self.kl_weight, "0 or more")
        require(0 < self.held_out < 1, "held_out", self.held_out, "between 0 and 1")
        for name in ("latent", "hidden", "comparisons", "epochs"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")


def run(config: Config, bench: Bench) -> Products:
    pairs, held = held_out(bench.task.pairs("train"), share=config.held_out, seed=bench.seed)
    users, others = (users_of(some, config.user_column, config.group_column) for some in (pairs, held))
    groups = sorted({one for one in users.groups if one is not None})
    if config.model == "oracle" and None in users.groups:
        raise NotApplicable(f"the oracle learns from each user's group; rows need a column {config.group_column!r}")
    net = UserReward(shape_of(config, bench, len(groups)), seed=answer_seed(bench.seed, "user reward"))
    column = config.group_column if config.model == "oracle" else config.user_column
    reading = Reading(
        column=column, max_length=bench.max_length, layer=config.layer, normalize=config.normalize_eval,
        groups=tuple(groups),
    )  # fmt: skip
    model = UserRewardModel(bench.base, net, reading)
    table, held_table = vectors(model, pairs), vectors(model, held)
    net.fit_scale(torch.cat(table))
    table, held_table = (Table(*map(net.scaled, one)) for one in (table, held_table))
    train(config, bench, model, table, pairs, users)
    net.eval()
    if net.shape.compares:
        model.others = torch.cat(table)[: config.comparisons]
    if net.encoder is None:
        return Products(scorer=model)
    model.beliefs = remembered(config, model, table, users)
    told = HeldOut(model, (pairs, users, table), (held, others, held_table), seed=bench.seed)
    return Products(scorer=model, findings=tuple(told.findings()))


def shape_of(config: Config, bench: Bench, groups: int) -> Shape:
    return Shape(
        width=bench.base.module.config.get_text_config().hidden_size, hidden=config.hidden, latent=config.latent,
        outputs=OUTPUTS.get(config.model, 1), knows=KNOWS[config.model],
        groups=groups if config.model == "oracle" else 0, compares=config.model == "classifier",
        learnt_prior=config.prior == "learned",
    )  # fmt: skip


def vectors(model: UserRewardModel, pairs: Sequence[Pair]) -> Table:
    """Of both answers of every pair; computed once, for the language model stays as it is."""
    prompts = [pair.prompt for pair in pairs]
    both = model.features(prompts * 2, [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs])
    return Table(*both.split(len(pairs)))


def remembered(config: Config, model: UserRewardModel, table: Table, users: Users) -> dict[str, Gaussian]:
    """What is believed of every user that gave feedback, from the first comparisons of each."""
    found = {}
    with torch.no_grad():
        for user, places in users.places().items():
            found[user] = model.net.infer(*table.contexts([places[: config.most]]))
    return found


# Training


def train(
    config: Config, bench: Bench, model: UserRewardModel, table: Table, pairs: Sequence[Pair], users: Users
) -> None:
    """Both nets at once, the examples in the order that they were drawn in."""
    net = model.net
    items = examples(
        pairs, users, sizes=(config.fewest, config.most), epochs=config.epochs,
        batch_size=config.batch_size, seed=bench.seed,
    )  # fmt: skip

    def cost(part: Sequence[Example]) -> float:
        return 3 * forward_flops(net, part)

    def loss(part: Sequence[Example], whole: Sequence[Example]) -> Tensor:
        assert whole
        price = forward_flops(net, part)
        charge(forward_flops=price, backward_flops=2 * price)
        latent, told = latents(config, model, table, users, part)
        targets = [one.target for one in part]
        return surprise(config, net, table.chosen[targets], table.rejected[targets], latent) + told

    settings = Fit(learning_rate=config.learning_rate, batch_size=config.batch_size, epochs=1)
    stage = Stage(shuffled=False)
    schedule = schedule_for(bench, items, settings, cost, seed=bench.seed, stage=stage)
    fit(net, items, loss, schedule, bench.dir / stage.name)


def forward_flops(net: UserReward, part: Sequence[Example]) -> float:
    """Of one step: every comparison of a context is encoded, both answers are decoded."""
    return net.encoding_flops() * sum(len(one.context) for one in part) + 2 * net.decoding_flops() * len(part)


def latents(
    config: Config, model: UserRewardModel, table: Table, users: Users, part: Sequence[Example]
) -> tuple[Tensor | None, Tensor]:
    """What is known of each example's user, and what knowing it costs: the weighted KL, nats."""
    net, nothing = model.net, torch.zeros(len(part))
    if net.group is not None:
        return net.group(
            torch.tensor([model.reading.groups.index(str(users.groups[one.target])) for one in part])
        ), nothing
    if net.encoder is None:
        return None, nothing
    belief = net.infer(*table.contexts([one.context for one in part]))
    noise = [torch.randn(config.latent, generator=torch.Generator().manual_seed(one.noise)) for one in part]
    prior = net.encoder.prior
    nats = gaussian_kl(belief.mean, belief.log_variance, prior_mean=prior[0], prior_log_variance=prior[1])
    weights = [cyclical_cosine(one.step, period=config.cycle, floor=config.floor) for one in part]
    return drawn(belief, torch.stack(noise)), config.kl_weight * torch.tensor(weights) * nats


def surprise(config: Config, net: UserReward, chosen: Tensor, rejected: Tensor, latent: Tensor | None) -> Tensor:
    """[pairs] at the verdicts, nats."""
    if config.model in ("mean_variance", "categorical"):
        won, lost = net.decode(chosen, latent), net.decode(rejected, latent)
        return (
            mean_variance_loss(won, lost)
            if OUTPUTS[config.model] == 2
            else categorical_loss(won, lost, entropy=ENTROPY)
        )
    lead = net.lead(chosen, rejected, latent)
    return bradley_terry_loss(lead, torch.zeros_like(lead))


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None
    return Products(scorer=UserRewardModel.load(directory / "scorer", loading_of(base)))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="variational-preference-learning",
        family="reward",
        kind="method",
        paper="arXiv:2408.10075",
        title="Personalizing reinforcement learning from human feedback with variational preference learning",
        claims=(
            Claim("tastes", "accuracy", "up", against="variational-preference-learning:model=plain", smallest=0.15),
            Claim("tastes", "accuracy", "up", against="bradley-terry", smallest=0.15),
            Claim("tastes", "accuracy", "up", against="variational-preference-learning:model=mean_variance",
                  smallest=0.15),
        ),
        baselines=(
            "bradley-terry",
            "variational-preference-learning:model=plain",
            "variational-preference-learning:model=mean_variance",
            "variational-preference-learning:model=categorical",
            "variational-preference-learning:model=oracle",
            "variational-preference-learning:model=classifier",
        ),
        task="tastes",
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 1e-3, "layer": 0, "latent": 64, "hidden": 128, "kl_weight": 1e-3, "epochs": 30,
              "cycle": 200, "comparisons": 200},
        differs=(
            "a frozen body of about 1M parameters for contexts and answers; in the paper answers pass through one that "
            "is fine-tuned with LoRA",
            "on small models texts' vectors are means of word embeddings: later layers of a model that only ever wrote "
            "reviews keep no sentiment that could be read off",
            "vectors of texts are whitened over the training pairs",
            "contexts are other comparisons of the same user; the paper draws them from a pool that all users answered",
            "the learning rate falls linearly; in the paper along a cosine",
            "at test time the belief's mean is put on the sphere that draws lie on in training; the code leaves it",
            "the control half waits for that part of the library",
        ),
    ),
)  # fmt: skip
