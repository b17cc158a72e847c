"""The `gridworld` task: rooms with a far goal, in three worlds that share more or less between episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from operant.data.without import WithoutFeedback
from operant.disk import content_hash
from operant.domains.control.layout import Layout, cell_in, rooms
from operant.domains.control.metrics import METRICS, measured
from operant.domains.control.play import Players
from operant.errors import OperantError, require
from operant.meter import charge
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Prompt, Score, Split


@dataclass(frozen=True, kw_only=True)
class World:
    """What the episodes of a world have in common, and what changes from one to the next."""

    across: int  # rooms in a row, and in a column
    side: int  # cells along a room's wall
    horizon: int  # steps of an episode
    plans: int | None  # different arrangements of doors; None: a new one every episode
    goals: bool  # whether the goal changes

    def layout(self, rng: Random) -> Layout:
        """Start in the first room; a goal in a room of the last row or column, at least a grid's width away."""
        plan = Random(rng.randrange(self.plans)) if self.plans else rng
        rows = rooms(plan, across=self.across, side=self.side, extra_doors=0.3)
        start = cell_in(plan, (0, 0), side=self.side)
        goals = rng if self.goals else plan
        while True:
            last = goals.randrange(self.across), self.across - 1
            goal = cell_in(goals, last if goals.random() < 0.5 else last[::-1], side=self.side)
            layout = Layout(rows=rows, start=start, goal=goal)
            if layout.distances()[start] >= self.across * self.side:
                return layout


WORLDS = {
    "same": World(across=3, side=4, horizon=100, plans=1, goals=False),
    "shared": World(across=3, side=3, horizon=80, plans=4, goals=True),
    "new": World(across=3, side=3, horizon=80, plans=None, goals=True),
}


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    train: int = 600  # layouts drawn for training in every world; those of world "same" are all one
    valid: int = 60
    test: int = 120  # over all worlds
    env_steps: int = 900_000  # the ceiling, over all worlds


class Gridworld(WithoutFeedback):
    """Prompts are layouts, answers are episodes. Layouts for training are drawn anew for every seed."""

    name = "gridworld"
    subject = "control"
    metrics = METRICS
    offers = "layouts to act in, and a verifier of training and validation episodes"

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed, self.knobs = seed, knobs or Knobs()

    @property
    def allowance(self) -> Mapping[str, float]:
        return {"env_steps": float(self.knobs.env_steps)}

    def prompts(self, split: Split) -> list[Prompt]:
        """Worlds take turns. Test layouts of worlds "shared" and "new" are none of those trained on."""
        return list(_prompts(self.knobs, split, 0 if split == "test" else self.seed))

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """1 where the goal was reached. Test prompts are refused."""
        if any(prompt.columns["split"] == "test" for prompt in prompts):
            raise OperantError("a test episode was to be verified; methods may verify training and validation episodes")
        charge(verifier_calls=len(prompts))
        return self.gold(prompts, answers)["success"]

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        found = [
            measured(answer.value, horizon=prompt.columns["horizon"])
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        return {metric.name: [Score(value=one[metric.name]) for one in found] for metric in METRICS}

    def base(self, loading: Loading = PLAIN) -> Players:
        """A random walker; it has no weights to load."""
        assert loading is not None
        return Players({})

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "worlds": {n: asdict(w) for n, w in WORLDS.items()}}

    def summary(self) -> dict[str, Json]:
        return {
            "train": len(self.prompts("train")), "valid": len(self.prompts("valid")), "test": len(self.prompts("test")),
            "worlds": {name: _said(world) for name, world in WORLDS.items()},
        }  # fmt: skip

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Gridworld:
        """The same generator with other counts; `pairs` is the number of training layouts a world."""
        changes: dict[str, Any] = {"train": pairs, "test": test_prompts}
        knobs = replace(self.knobs, **{name: value for name, value in changes.items() if value is not None})
        return Gridworld(seed=self.seed, knobs=knobs)


def _said(world: World) -> str:
    plans = "a new one every episode" if world.plans is None else f"{world.plans} plan(s)"
    goal = "which changes" if world.goals else "always the same"
    return f"{world.across} x {world.across} rooms of {world.side} x {world.side}, {plans}; goal {goal}; " \
           f"{world.horizon} steps"  # fmt: skip


@lru_cache(maxsize=16)
def _prompts(knobs: Knobs, split: Split, seed: int) -> tuple[Prompt, ...]:
    counts = {"train": knobs.train * len(WORLDS), "valid": knobs.valid, "test": knobs.test}
    require(split in counts, "split", split, "train, valid or test")
    names = list(WORLDS)
    return tuple(_prompt(names[place % len(names)], split, seed, place) for place in range(counts[split]))


def _prompt(name: str, split: Split, seed: int, place: int) -> Prompt:
    world = WORLDS[name]
    layout = world.layout(Random(f"gridworld {name} {split} {seed} {place}"))
    columns = {"world": name, "horizon": world.horizon, "split": split, "distance": layout.distances()[layout.start]}
    return Prompt(id=content_hash([name, split, seed, place, str(layout)]), content=layout, columns=columns)
