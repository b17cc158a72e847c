"""InteractDiffusion: who does what to whom and where, as tokens that a frozen denoiser hears through gated layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.domains.vision.paint import Painter, clean
from operant.domains.vision.scene import SIDE, Scene, Thing
from operant.domains.vision.words import WIDTH, captions, embedded
from operant.errors import require
from operant.loops.denoising import Draw, Draws
from operant.methods.condition.interactdiffusion.grounding import (
    Dropping,
    Grounding,
    Row,
    Shape,
    grounding_losses,
    joined,
)
from operant.methods.condition.interactdiffusion.tokens import Interactions, Region, scales
from operant.schema import Bench, Policy, Products
from operant.training.budgeted import Fit, Stage, schedule_for
from operant.training.fit import fit

FOLDS = 100  # times that a picture comes with new noise before the first noise comes again
WEIGHTS = "grounding.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config(Fit):
    """Sizes and settings of the release."""

    region: Region = "between"  # an action's box; union: around both; none: actions are no tokens, as in GLIGEN
    instances: bool = True  # whether tokens say to which interaction they belong
    most: int = 30  # interactions in a picture
    channels: int = 768  # width of a token
    hidden: int = 512
    without_caption: float = 0.5  # share of rows that are learnt from without their caption
    without_tokens: float = 0.1
    flip: float = 0.5
    steps: int = 50
    guidance: float = 7.5
    schedule: tuple[float, ...] = (0.9, 0.0, 0.1)  # shares of steps: layers at full scale, falling, silent
    learning_rate: float = 5e-5

    def __post_init__(self) -> None:
        require(self.most >= 1, "most", self.most, "at least 1")
        for name in ("without_caption", "without_tokens", "flip"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "between 0 and 1")
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        whole = len(self.schedule) == 3 and min(self.schedule) >= 0 and abs(sum(self.schedule) - 1) < 1e-9
        require(whole, "schedule", self.schedule, "three shares that sum to 1")

    @property
    def shape(self) -> Shape:
        return Shape(WIDTH, self.channels, self.hidden, self.most, self.region, self.instances)


def run(config: Config, bench: Bench) -> Products:
    """Learns from the task's scenes and pictures; the base's denoiser stays as it is."""
    base: Any = bench.base
    grounding = Grounding(base.denoiser, config.shape, seed=answer_seed(bench.seed, "grounding") % 2**31)
    rows = [row_of(one.prompt.content, one.answer.value.pixels, most=config.most)
            for one in bench.task.judged("train")]  # fmt: skip
    learn(grounding, rows, config, bench)
    return Products(generator=painter(grounding, config))


def row_of(scene: Scene, pixels: Any, *, most: int) -> Row:
    return Row(clean(pixels), captions([scene]), interactions_of([scene]).largest(most))


def interactions_of(scenes: Sequence[Scene | None]) -> Interactions:
    """Pairs of scenes as interactions; None has none."""
    return joined([_interactions(scene) for scene in scenes])


def _interactions(scene: Scene | None) -> Interactions:
    pairs = scene.pairs if scene is not None else ()
    if not pairs:
        nowhere, silent = torch.zeros(1, 1, 4), torch.zeros(1, 1, WIDTH)
        return Interactions(nowhere, nowhere, silent, silent, silent, torch.zeros(1, 1, dtype=torch.bool))
    subjects, objects = [one.subject for one in pairs], [one.object for one in pairs]
    return Interactions(
        _boxes(subjects), _boxes(objects), _words([one.phrase for one in subjects]),
        _words([one.phrase for one in objects]), _words([one.action for one in pairs]),
        torch.ones(1, len(pairs), dtype=torch.bool),
    )  # fmt: skip


def _boxes(things: Sequence[Thing]) -> Tensor:
    return torch.tensor([[thing.box for thing in things]]) / SIDE


def _words(phrases: Sequence[str]) -> Tensor:
    return torch.stack([embedded(phrase) for phrase in phrases])[None]


def learn(grounding: Grounding, rows: Sequence[Row], config: Config, bench: Bench) -> None:
    """Squared error of the denoiser, for as many steps as the budget pays for."""
    empty = captions([None])
    dropping = Dropping(config.without_caption, config.without_tokens, config.flip)

    def loss(part: Sequence[Draw], whole: Sequence[Draw]) -> Tensor:
        assert len(part) <= len(whole)
        return grounding_losses(grounding, part, empty, dropping)

    one = rows[0].clean[None]
    passes = grounding.grounded.price(one, empty._replace(tokens=grounding.tokens(rows[0].interactions)))
    each = sum(passes) + 3 * grounding.tokens.flops

    def price(part: Sequence[Draw]) -> float:
        return each * len(part)

    items = Draws(rows, times=FOLDS, seed=bench.seed)
    schedule = schedule_for(bench, items, config, price, seed=bench.seed, stage=Stage(name="pictures"))
    fit(grounding, items, loss, schedule, bench.dir / "pictures")


def painter(grounding: Grounding, config: Config) -> Painter:
    def tokens(scenes: Sequence[Scene | None]) -> Tensor:
        return grounding(interactions_of(scenes))

    def store(directory: Path) -> None:
        save_file(grounding.state_dict(), directory / WEIGHTS)

    return Painter(
        grounding.grounded, steps=config.steps, guidance=config.guidance, tokens=tokens,
        scales=scales(config.schedule, config.steps), store=store,
    )  # fmt: skip


def load(config: Config, directory: Path, base: Policy) -> Products:
    painting: Any = base
    grounding = Grounding(painting.denoiser, config.shape, seed=0)
    grounding.load_state_dict(load_file(directory / "generator" / WEIGHTS))
    return Products(generator=painter(grounding, config))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="interactdiffusion",
        family="condition",
        kind="method",
        paper="arXiv:2312.05849",
        title="InteractDiffusion: interaction control in text-to-image diffusion models",
        claims=(
            Claim("shapes", "relation", "up", against="base", smallest=0.2),
            Claim("shapes", "relation", "up", against="interactdiffusion:region=none", smallest=0.1),
            Claim("shapes", "relation", "up", against="interactdiffusion:instances=False", smallest=0.0),
            Claim("shapes", "box_iou", "up", against="base", smallest=0.2),
        ),
        baselines=("base", "interactdiffusion:region=none", "interactdiffusion:region=union"),
        task="shapes",
        search={"learning_rate": ("x1", "x2", "x0.5", "x4")},
        tiny={
            "most": 2,
            "channels": 64,
            "hidden": 64,
            "learning_rate": 1e-3,
            "batch_size": 32,
            "steps": 20,
            "guidance": 1.0,
        },
        differs=(
            "a small transformer that paints shapes instead of Stable Diffusion 1.4 and people of HICO-DET; captions "
            "and phrases are fixed vectors instead of CLIP's",
            "gated layers start from nothing instead of from GLIGEN's weights, and their attention has biases",
            "interactions are dropped row by row, where the release drops those of a whole batch",
            "the learning rate decays linearly instead of staying the same after 10,000 steps",
        ),
    ),
)
