"""The `shapes` task: scenes to be painted, with their boxes and actions, and a denoiser that reads captions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

from operant.data.demonstrated import Demonstrated
from operant.disk import content_hash
from operant.domains.vision.draw import draw
from operant.domains.vision.metrics import METRICS, measured
from operant.domains.vision.paint import Painter
from operant.domains.vision.represent import Picture
from operant.domains.vision.scene import Scene
from operant.domains.vision.tasks.shapes.scenes import Layouts, candidate, draw_scene, variants
from operant.errors import require
from operant.models.denoiser import Denoiser
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Judged, Prompt, Score, Split

BASE = Path(__file__).parents[2] / "bases" / "shapes"
STEPS, GUIDANCE = 20, 1.0  # with which the base paints
ALIKE = 3  # test scenes that differ in their actions alone


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    layouts: Layouts = field(default_factory=Layouts)
    scenes: int = 2000  # to learn from
    valid: int = 48
    test: int = 96
    flops: float = 9e12  # the ceiling


class Shapes(Demonstrated):
    """Prompts are scenes, answers are pictures. Test scenes come by threes that differ in their actions alone."""

    name = "shapes"
    subject = "vision"
    metrics = METRICS
    offers = "scenes with their pictures as demonstrations"
    knobs_of, many = Knobs, "scenes"

    def drawn(self, split: Split, seed: int) -> Sequence[Judged]:
        """Scenes with the pictures that show them exactly; in those to learn from something may be hidden."""
        return _scenes(self.knobs, split, seed)

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        found = [measured(answer.value.pixels, prompt.content) for prompt, answer in zip(prompts, answers, strict=True)]
        return {metric.name: [Score(value=one[metric.name]) for one in found] for metric in METRICS}

    def base(self, loading: Loading = PLAIN) -> Painter:
        """A small transformer of diffusers' that reads captions as sets of phrases; frozen, in float32."""
        assert loading is not None
        return Painter(_denoiser(), steps=STEPS, guidance=GUIDANCE)

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "base": _base_hash()}

    def summary(self) -> dict[str, Json]:
        return {
            "train": self.knobs.scenes, "valid": self.knobs.valid, "test": self.knobs.test,
            "test scenes with two pairs": sum(len(one.content.pairs) == 2 for one in self.prompts("test")),
        }  # fmt: skip


@lru_cache(maxsize=1)
def _denoiser() -> Denoiser:
    return Denoiser.load(BASE)


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "transformer" / "diffusion_pytorch_model.safetensors").read_bytes().hex())


@lru_cache(maxsize=16)
def _scenes(knobs: Knobs, split: Split, seed: int) -> tuple[Judged, ...]:
    counts = {"train": knobs.scenes, "valid": knobs.valid, "test": knobs.test}
    require(split in counts, "split", split, "train, valid or test")
    rng, made = Random(f"shapes {split} {seed}"), list[Scene]()
    while len(made) < counts[split]:
        scene = (candidate if split == "train" else draw_scene)(rng, knobs.layouts)
        made += _alike(rng, scene) if split == "test" else [scene]
    return tuple(_judged(scene, split) for scene in made[: counts[split]])


def _alike(rng: Random, scene: Scene) -> list[Scene]:
    """The scene's boxes under different actions: of each pair every action once."""
    some = variants(scene)
    names = [rng.sample(sorted({one.pairs[place].action for one in some}), ALIKE) for place in range(len(scene.pairs))]
    wanted = list(zip(*names, strict=True))
    return [one for want in wanted for one in some if tuple(pair.action for pair in one.pairs) == want]


def _judged(scene: Scene, split: Split) -> Judged:
    columns = {"split": split, "pairs": len(scene.pairs), "over": any(pair.overlap for pair in scene.pairs)}
    prompt = Prompt(id=content_hash([split, str(scene)]), content=scene, columns=columns)
    return Judged(prompt=prompt, answer=Answer(value=Picture.of(draw(scene))))
