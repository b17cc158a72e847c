"""A generator of pictures: a denoiser under the caption of a scene, and under what else a method adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from operant.data.modelless import WithoutModel
from operant.disk import answer_seed
from operant.domains.vision.draw import Pixels
from operant.domains.vision.represent import Picture
from operant.domains.vision.scene import SIDE, Scene
from operant.domains.vision.words import captions
from operant.engine.denoising import denoised
from operant.models.denoiser import Denoiser
from operant.schema import KL, Answer, Decoding, Prompt

Tokens = Callable[[Sequence[Scene | None]], Tensor]  # for gated layers; None: the empty condition


class Painter(WithoutModel):
    """Paints scenes.

    Args:
        tokens: what the denoiser's gated layers hear, if it has any.
        scales: of these layers, one for each step; none: 1 throughout.
        store: writes what is needed to load it again into a folder.
    """

    what = "pictures"

    def __init__(
        self, denoiser: Denoiser, *, steps: int, guidance: float, tokens: Tokens | None = None,
        scales: Sequence[float] = (), store: Callable[[Path], None] | None = None,
    ):  # fmt: skip
        self.denoiser, self.steps, self.guidance = denoiser, steps, guidance
        self.tokens, self.scales, self._store = tokens, scales, store

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n pictures per prompt, each from noise of its own; temperature scales the noise, max_tokens is for texts."""
        scenes = [prompt.content for prompt in prompts for _ in range(n)]
        seeds = [answer_seed(seed, prompt.id, j) % 2**62 for prompt in prompts for j in range(n)]
        noise = torch.stack([
            torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(one)) for one in seeds
        ]) * decoding.temperature  # fmt: skip
        made = denoised(
            self.denoiser, noise, self._condition(scenes), self._condition([None] * len(scenes)),
            steps=self.steps, guidance=self.guidance, scales=self.scales,
        )  # fmt: skip
        flat = [Answer(value=one) for one in pictures(made)]
        return [flat[at : at + n] for at in range(0, len(flat), n)]

    def _condition(self, scenes: Sequence[Scene | None]) -> Any:
        with torch.no_grad():
            tokens = None if self.tokens is None else self.tokens(scenes)
        return captions(scenes)._replace(tokens=tokens)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="the likelihood of a picture is not computed")

    def save(self, directory: Path) -> None:
        if self._store is not None:
            self._store(directory)


def clean(pixels: Pixels) -> Tensor:
    """[3, SIDE, SIDE] in -1..1, as a denoiser reads it."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1


def pictures(images: Tensor) -> list[Picture]:
    """The way back."""
    whole = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Picture.of(one) for one in whole.permute(0, 2, 3, 1).numpy()]
