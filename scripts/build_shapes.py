"""Train the base of `shapes`, a small transformer of diffusers': `python scripts/build_shapes.py`, 10 minutes."""

import argparse
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch
from diffusers import DDIMScheduler, PixArtTransformer2DModel

from operant.domains.vision.draw import draw
from operant.domains.vision.paint import clean
from operant.domains.vision.scene import SIDE
from operant.domains.vision.tasks.shapes.scenes import Layouts, candidate
from operant.domains.vision.tasks.shapes.task import BASE
from operant.domains.vision.words import WIDTH, captions
from operant.loops.denoising import Draws, denoising_losses
from operant.models.denoiser import Denoiser
from operant.training.fit import fit
from operant.training.track import watched
from operant.training.update import Schedule

HEADS, HEAD, BLOCKS, PATCH = 4, 16, 4, 4
SCENES, TIMES = 40_000, 5  # of them, each under so many noises
WITHOUT = 0.1  # share of pictures without their caption, for guidance


def small(seed: int) -> Denoiser:
    with torch.random.fork_rng(devices=[]):  # diffusers initialises from the global generator
        torch.manual_seed(seed)
        net = PixArtTransformer2DModel(
            num_attention_heads=HEADS, attention_head_dim=HEAD, in_channels=3, out_channels=3, num_layers=BLOCKS,
            cross_attention_dim=HEADS * HEAD, sample_size=SIDE, patch_size=PATCH, caption_channels=WIDTH,
            use_additional_conditions=False, interpolation_scale=1,
        )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="sample", timestep_spacing="trailing", steps_offset=1
    )
    return Denoiser(net, scheduler)


def train(denoiser: Denoiser, *, steps: int) -> None:
    rng, started = Random("base/shapes/0"), time.perf_counter()
    scenes = [candidate(rng, Layouts()) for _ in range(SCENES)]
    print(f"{SCENES} scenes, {time.perf_counter() - started:.0f} s", flush=True)

    def loss(part, whole):
        assert len(part) <= len(whole)
        read = [None if Random(one.seed).random() < WITHOUT else one.item for one in part]
        shown = torch.stack([clean(draw(one.item)) for one in part])
        return denoising_losses(denoiser, shown, captions(read), [one.seed for one in part])

    def progress(values, step):
        if step % 100 == 0:
            print(f"step {step}/{steps}, loss {values['loss']:.3f}, {time.perf_counter() - started:.0f} s", flush=True)

    schedule = Schedule(steps=steps, learning_rate=1.5e-3, batch_size=32, warmup=0.03)
    with TemporaryDirectory() as scratch, watched(progress):
        fitted = fit(denoiser.net, Draws(scenes, times=TIMES, seed=0), loss, schedule, Path(scratch))
    print(f"loss, last 200 steps: {sum(fitted.losses[-200:]) / 200:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=BASE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    denoiser = small(0)
    print(f"{sum(weight.numel() for weight in denoiser.net.parameters()):,} parameters")
    train(denoiser, steps=args.steps)
    denoiser.save(args.out, dtype=torch.bfloat16)


if __name__ == "__main__":
    main()
