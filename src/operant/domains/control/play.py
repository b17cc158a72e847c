"""Agents that answer layouts with episodes. They see what `Grids` shows, not the layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operant.data.modelless import WithoutModel
from operant.disk import answer_seed
from operant.domains.control.grid import ACTIONS, Floats, Grids
from operant.domains.control.layout import Cell, Layout
from operant.domains.control.represent import Episode
from operant.errors import UnknownName
from operant.schema import Answer, Decoding, Prompt

Chances = Callable[[Floats], Floats]  # observations [agents, size] to probabilities [agents, actions]


def uniform(observations: Floats) -> Floats:
    """Every action as likely: the agent that has learnt nothing."""
    return np.full((len(observations), ACTIONS), 1.0 / ACTIONS, dtype=np.float32)


class Players(WithoutModel):
    """A generator of episodes: one agent for each world that a prompt may name.

    Args:
        agents: by the prompt's column "world"; none at all: a uniformly random walker everywhere.
        store: writes what the agents need to be loaded again into a folder.
    """

    what = "episodes of agents"

    def __init__(self, agents: Mapping[str, Chances], *, store: Callable[[Path], None] | None = None):
        self.agents, self._store = dict(agents), store

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n episodes per prompt. At temperature 1 actions are drawn, at 0 the likeliest is taken; max_tokens is for
        texts, an episode ends at its prompt's horizon."""
        found: list[list[Answer]] = [[] for _ in prompts]
        for world in dict.fromkeys(prompt.columns["world"] for prompt in prompts):
            places = [
                place for place, prompt in enumerate(prompts) if prompt.columns["world"] == world for _ in range(n)
            ]
            draws = [answer_seed(seed, prompts[place].id, at % n) for at, place in enumerate(places)]
            horizon = prompts[places[0]].columns["horizon"]
            layouts = [prompts[place].content for place in places]
            played = play(self._agent(world), layouts, horizon=horizon, seeds=draws, temperature=decoding.temperature)
            for place, episode in zip(places, played, strict=True):
                found[place].append(Answer(value=episode, finish="stop" if episode.solved else "length"))
        return found

    def _agent(self, world: str) -> Chances:
        if not self.agents:
            return uniform
        if world not in self.agents:
            raise UnknownName("world of this agent", world, self.agents)
        return self.agents[world]

    def save(self, directory: Path) -> None:
        if self._store is not None:
            self._store(directory)


def play(
    chances: Chances, layouts: Sequence[Layout], *, horizon: int, seeds: Sequence[int], temperature: float
) -> list[Episode]:
    """One episode on each layout, each with its own random numbers, whoever else plays."""
    grids = Grids(layouts, horizon=horizon)
    drawn = np.stack([np.random.default_rng(seed).random(horizon) for seed in seeds])
    paths: list[list[Cell]] = [[layout.start] for layout in layouts]
    running = np.ones(len(layouts), dtype=bool)
    observations = grids.reset()
    for step in range(horizon):
        actions = chosen(chances(observations), drawn[:, step], temperature)
        stepped = grids.step(actions)
        for place in np.flatnonzero(running):
            row, column = stepped.info["cell"][place]
            paths[place].append((int(row), int(column)))
        running &= ~(stepped.terminated | stepped.truncated)
        if not running.any():
            break
        observations = stepped.observations
    return [Episode(layout=layout, path=tuple(path)) for layout, path in zip(layouts, paths, strict=True)]


def chosen(chances: Floats, drawn: NDArray[np.float64], temperature: float) -> NDArray[np.int64]:
    """An action for each agent by inverse CDF; chances to the power 1 / temperature, the likeliest at 0."""
    if temperature == 0:
        return chances.argmax(1)
    weights = chances.astype(np.float64) ** (1.0 / temperature)
    edges = (weights / weights.sum(1, keepdims=True)).cumsum(1)
    return (drawn[:, None] >= edges[:, :-1]).sum(1)
