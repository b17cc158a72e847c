"""What a policy is paid for a solution step by step: what is made of a process reward model's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from operant.models.steps import step_texts
from operant.objectives.process import clipped_steps, delta_steps

Shaping = Literal["clip_delta", "clip", "delta", "raw", "normalised", "per_step", "orm", "none"]
SHAPED: dict[str, Callable[[Tensor, float], Tensor]] = {
    "clip_delta": lambda steps, threshold: delta_steps(clipped_steps(steps, threshold=threshold)),
    "clip": lambda steps, threshold: clipped_steps(steps, threshold=threshold),
    "delta": lambda steps, _: delta_steps(steps),
    "raw": lambda steps, _: steps,
    "normalised": lambda steps, _: steps,  # already over the batch
    "per_step": lambda steps, _: steps / len(steps),
}
CLIPPED = ("clip_delta", "clip")
PLACE = "token "  # and a number: the part of a score that is the reward of one token


def step_rewards(steps: Sequence[float], how: str, *, threshold: float) -> Tensor:
    """[steps] shaped rewards; the last step, which states the answer, has none: its reward is the success.

    So a solution of one step has no process reward at all.
    """
    found = SHAPED[how](torch.tensor(list(steps)), threshold).clone()
    found[-1] = 0.0
    return found


def over_batch(many: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """(r - mean) / standard deviation over all steps of a batch; 0 where all are alike."""
    values = torch.tensor([value for steps in many for value in steps])
    mean, spread = values.mean(), values.std(correction=0).clamp(min=1e-8)
    return [tuple(((torch.tensor(list(steps)) - mean) / spread).tolist()) for steps in many]


def token_rewards(parts: Mapping[str, float], count: int) -> Tensor:
    """[tokens] of an answer, from the parts of its score."""
    found = torch.zeros(count)
    for name, value in parts.items():
        if name.startswith(PLACE):
            found[int(name.removeprefix(PLACE))] += value
    return found


def repeated(text: str, pattern: str) -> float:
    """Share of a solution's steps that were there before, word for word."""
    steps = [" ".join(step.split()) for step in step_texts(text, pattern)]
    return 1 - len(set(steps)) / len(steps)
