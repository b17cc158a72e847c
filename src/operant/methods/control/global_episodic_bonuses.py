"""Global and episodic bonuses: an agent is paid for new states, counted over training, within the episode, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from operant.card import Card, Claim, Method
from operant.disk import answer_seed, read_json, write_json
from operant.domains.control.grid import ACTIONS, Floats, Grids
from operant.domains.control.play import Players
from operant.errors import require
from operant.loops.actor_critic import ActorCritic, Learning, learn_by_acting
from operant.models.mlp import charge_pass
from operant.probes.value_variance import value_variance_finding
from operant.rewards.bonuses.counts import EpisodicCount, GlobalCount
from operant.rewards.bonuses.distilled import NoveltyDifference, RandomDistillation
from operant.rewards.bonuses.dynamics import InverseDynamics
from operant.rewards.bonuses.elliptical import Elliptical
from operant.rewards.bonuses.reached import Bonus, Key, Reached, cell_key, observation_key
from operant.rewards.bonuses.scale import RunningScale
from operant.schema import Bench, Finding, Policy, Products, Prompt

KEYS: dict[str, Key] = {"cell": cell_key, "observation": observation_key}
Episodic = Literal[
    "elliptical",
    "elliptical-observation",
    "counts-cell",
    "counts-observation",
    "first-cell",
    "first-observation",
    "none",
]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which novelty is paid, and how the agent learns; defaults of the authors' release but for the number of grids."""

    episodic: Episodic = "elliptical"  # on features that tell actions; on all that is seen; by visits; first visits
    lifelong: Literal["noveld", "rnd", "counts-cell", "counts-observation", "none"] = "noveld"
    combine: Literal["mult", "add"] = "mult"
    beta: float = 1.0  # weight of the bonus, which has a standard deviation of 1
    alpha: float = 0.1  # NovelD's share of the state left behind
    ridge: float = 0.1  # of the elliptical bonus
    discount: float = 0.99
    entropy: float = 0.005
    learning_rate: float = 1e-4
    unroll: int = 80
    hidden: int = 256
    num_grids: int = 32  # the release: 8 unrolls a batch from 40 actors

    def __post_init__(self) -> None:
        require(self.beta >= 0, "beta", self.beta, "at least 0")
        require(0 < self.discount <= 1, "discount", self.discount, "above 0, at most 1")
        for name in ("unroll", "hidden", "num_grids"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")


class Novelty:
    """The two bonuses joined, in units of their running standard deviation, and the nets that learn beside."""

    def __init__(self, config: Config, *, inputs: int, seed: int):
        self.config, self.scale = config, RunningScale()
        net = partial(_net, inputs=inputs, config=config, seed=seed)
        self.nets: dict[str, Any] = {}
        if config.lifelong in ("noveld", "rnd"):
            self.nets["distilled"] = net(RandomDistillation)
        if config.episodic == "elliptical":
            self.nets["dynamics"] = net(InverseDynamics, actions=ACTIONS)
        self.bonuses = [one for one in (self._episodic(inputs), self._lifelong()) if one is not None]

    def _episodic(self, inputs: int) -> Bonus | None:
        config, (kind, _, what) = self.config, self.config.episodic.partition("-")
        if kind == "none":
            return None
        if kind == "elliptical":
            features = self.nets["dynamics"] if not what else _seen
            size = self.config.hidden // 2 if not what else inputs
            return Elliptical(features, num=config.num_grids, size=size, ridge=config.ridge)
        return EpisodicCount(KEYS[what], num=config.num_grids, first_only=kind == "first")

    def _lifelong(self) -> Bonus | None:
        kind, _, what = self.config.lifelong.partition("-")
        if kind == "none":
            return None
        if kind == "counts":
            return GlobalCount(KEYS[what])
        distilled = self.nets["distilled"]
        return distilled if kind == "rnd" else NoveltyDifference(distilled, alpha=self.config.alpha)

    def pay(self, step: Reached) -> Floats:
        found = [bonus(step) for bonus in self.bonuses]
        if not found or not self.config.beta:
            return np.zeros(len(step.ended), dtype=np.float32)
        joined = np.prod(found, axis=0) if self.config.combine == "mult" else np.sum(found, axis=0)
        return self.config.beta * self.scale(joined)

    def learn(self, steps: Reached) -> dict[str, float]:
        return {name: net.learn(steps) for name, net in self.nets.items()}


def _seen(step: Reached) -> Floats:
    return step.after


def _net(made: Any, *, inputs: int, config: Config, seed: int, **more: int) -> Any:
    hidden = config.hidden
    return made(inputs, **more, hidden=hidden, size=hidden // 2, learning_rate=config.learning_rate, seed=seed)


def run(config: Config, bench: Bench) -> Products:
    """One agent a world, the ceiling's steps shared between them; and how far the worlds' values vary by context."""
    worlds = by_world(bench.task.prompts("train"))
    whole = bench.budget.plan(env_steps_per_step=config.num_grids * config.unroll)
    agents = {name: trained(config, prompts, max(1, whole // len(worlds)), answer_seed(bench.seed, name) % 2**31)
              for name, prompts in worlds.items()}  # fmt: skip
    return Products(generator=players(agents), findings=shared_structure(worlds, seed=bench.seed))


def by_world(prompts: Sequence[Prompt]) -> dict[str, list[Prompt]]:
    """Prompts by the world they name."""
    found: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        found.setdefault(prompt.columns["world"], []).append(prompt)
    return found


def trained(config: Config, prompts: Sequence[Prompt], updates: int, seed: int) -> ActorCritic:
    """An agent that has learnt to act in these layouts."""
    layouts, horizon = [prompt.content for prompt in prompts], prompts[0].columns["horizon"]
    grids = Grids(layouts, num=config.num_grids, horizon=horizon, seed=seed)
    agent = ActorCritic(grids.observation_size, ACTIONS, hidden=config.hidden, seed=seed)
    learning = Learning(learning_rate=config.learning_rate, discount=config.discount, entropy=config.entropy,
                        unroll=config.unroll)  # fmt: skip
    novelty = Novelty(config, inputs=grids.observation_size, seed=seed + 1)
    learn_by_acting(agent, grids, novelty, updates=updates, learning=learning, seed=seed + 2)
    return agent


def shared_structure(worlds: Mapping[str, Sequence[Prompt]], *, seed: int, most: int = 100) -> tuple[Finding, ...]:
    """The value variance of every world, from the optimal values discount^distance of at most `most` layouts."""
    rng = np.random.default_rng(seed)
    discount = Config().discount
    found = []
    for name, prompts in worlds.items():
        values = [{cell: discount**far for cell, far in one.content.distances().items()} for one in prompts[:most]]
        found.append(value_variance_finding(f"value variance across contexts, world {name}", values, rng=rng))
    return tuple(found)


def players(agents: Mapping[str, ActorCritic]) -> Players:
    """The agents as a generator of episodes."""
    return Players({name: partial(_chances, agent) for name, agent in agents.items()}, store=partial(_store, agents))


@torch.no_grad()
def _chances(agent: ActorCritic, observations: Floats) -> Floats:
    rows = torch.from_numpy(observations)
    charge_pass(agent, rows)
    return agent(rows)[0].softmax(-1).numpy()


def _store(agents: Mapping[str, ActorCritic], directory: Path) -> None:
    sizes = {name: [agent.torso[0].in_features, agent.torso[0].out_features] for name, agent in agents.items()}
    write_json(directory / "agents.json", sizes)
    for name, agent in agents.items():
        save_file(agent.state_dict(), directory / f"{name}.safetensors")


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and base is not None
    agents = {}
    for name, (inputs, hidden) in read_json(directory / "generator" / "agents.json").items():
        agents[name] = ActorCritic(inputs, ACTIONS, hidden=hidden, seed=0)
        agents[name].load_state_dict(load_file(directory / "generator" / f"{name}.safetensors"))
    return Products(generator=players(agents))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="global-episodic-bonuses",
        family="control",
        kind="study",
        paper="arXiv:2306.03236",
        title="Global and episodic bonuses for exploration in contextual MDPs",
        claims=(
            Claim("gridworld", "success", "up", against="global-episodic-bonuses:beta=0", smallest=0.2),
            Claim("gridworld", "success", "up", against="global-episodic-bonuses:episodic=none", smallest=0.1),
            Claim("gridworld", "success", "up", against="global-episodic-bonuses:lifelong=none", smallest=0.0),
        ),
        baselines=("base", "global-episodic-bonuses:beta=0", "global-episodic-bonuses:combine=add"),
        task="gridworld",
        search={"beta": (0.03, 0.1), "learning_rate": (1e-3, 5e-4)},
        tiny={
            "episodic": "first-cell",
            "lifelong": "counts-cell",
            "beta": 0.03,
            "entropy": 0.01,
            "learning_rate": 1e-3,
            "unroll": 20,
            "hidden": 128,
        },
        differs=(
            "grids of rooms instead of MiniHack, Habitat and Montezuma's Revenge; an agent without memory that sees "
            "its own trail instead of an LSTM",
            "on the embedded task novelty is counted by position (the paper's tabular study); the elliptical bonus on "
            "learnt features and NovelD are the defaults elsewhere, and rows of their own",
            "the value variance is a share of the whole variance, so that worlds can be compared",
            "no messages to count: the embedded grids have none",
        ),
    ),
)
