"""What counts as good on a prompt: ways to choose the reference reward, none of them the policy being steered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from operant.errors import NotApplicable, OperantError
from operant.models.text import encode_prompt
from operant.rewards.transform import Reference, quantile_reference
from operant.schema import Answer, Bench, Decoding, Policy, Prompt, Scorer

Find = Callable[[Sequence[Prompt]], list[Reference]]
Scorers = Mapping[str, Scorer]


def rewards_of(scorers: Scorers, prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> Tensor:
    """[prompts, answers, scorers] rewards; one that a scorer could not tell is an error, for nothing can stand in."""
    asked = [prompt for prompt, many in zip(prompts, answers, strict=True) for _ in many]
    flat = [answer for many in answers for answer in many]
    columns = []
    for name, scorer in scorers.items():
        scores = scorer.score(asked, flat)
        for prompt, score in zip(asked, scores, strict=True):
            if score.value is None or score.value != score.value:
                why = score.why or f"reward {score.value}"
                raise OperantError(f"no reference for prompt {prompt.id!r}: {name} could not score an answer ({why})")
        columns.append([float(score.value or 0.0) for score in scores])
    return torch.tensor(columns).T.reshape(len(prompts), -1, len(scorers))


def by_quantile(base: Policy, scorers: Scorers, *, q: float, samples: int, gaussian: bool, decoding: Decoding) -> Find:
    """From answers of the base, drawn once per prompt under a seed of their own."""

    def find(prompts: Sequence[Prompt]) -> list[Reference]:
        answers = base.answer(prompts, n=samples, decoding=decoding, seed=0)
        return [quantile_reference(one, q=q, gaussian=gaussian) for one in rewards_of(scorers, prompts, answers)]

    return find


def by_canned(scorers: Scorers, canned: Sequence[str]) -> Find:
    """The largest reward of fixed acceptable answers."""
    if not canned:
        raise NotApplicable("reference=canned needs stock answers, and this task has none; use reference=quantile")
    stock = [Answer(value=text) for text in canned]

    def find(prompts: Sequence[Prompt]) -> list[Reference]:
        best = rewards_of(scorers, prompts, [stock] * len(prompts)).max(1).values
        return [Reference(tuple(row.tolist())) for row in best]

    return find


def by_constant(value: float, *, count: int) -> Find:
    """One value for all prompts and scorers. Bradley-Terry leaves an offset per prompt free: a poor choice."""
    return lambda prompts: [Reference((value,) * count) for _ in prompts]


@dataclass(frozen=True, eq=False)
class Regression:
    """Mean and deviation of the base's rewards read off the prompt's words; the Gaussian quantile of them.

    Fitted on base answers to the training prompts; then a prompt's reference costs no samples.
    """

    tokenizer: Any
    weights: Tensor  # [vocabulary, 2 * scorers]
    shift: Tensor  # [2 * scorers]
    q: float

    def __call__(self, prompts: Sequence[Prompt]) -> list[Reference]:
        return [self._one(prompt) for prompt in prompts]

    def _one(self, prompt: Prompt) -> Reference:
        mean, spread = (_bag(self.tokenizer, prompt) @ self.weights + self.shift).chunk(2)
        unit = torch.tensor([[-1.0], [1.0]])  # two samples of mean 0 and deviation 1
        return quantile_reference(mean + unit * spread.clamp(min=1e-3), q=self.q, gaussian=True)

    def save(self, path: Path) -> None:
        save_file({"weights": self.weights.contiguous(), "shift": self.shift.contiguous()}, path)

    @classmethod
    def load(cls, path: Path, tokenizer: Any, *, q: float) -> Regression:
        stored = load_file(path)
        return cls(tokenizer, stored["weights"], stored["shift"], q)


def by_regressor(bench: Bench, scorers: Scorers, *, q: float, samples: int, ridge: float = 1.0) -> Regression:
    """Ridge regression on bags of words, solved among the prompts: a vocabulary is far larger than they are many."""
    prompts = bench.task.prompts("train")
    rewards = rewards_of(scorers, prompts, bench.pool(prompts, samples))
    moments = torch.cat([rewards.mean(1), rewards.std(1, correction=0)], 1)
    bags = torch.stack([_bag(bench.base.tokenizer, prompt) for prompt in prompts])
    shift = moments.mean(0)
    dual = torch.linalg.solve(bags @ bags.T + ridge * torch.eye(len(bags)), moments - shift)
    return Regression(bench.base.tokenizer, bags.T @ dual, shift, q)


def _bag(tokenizer: Any, prompt: Prompt) -> Tensor:
    """[vocabulary] 1 where the prompt holds the token."""
    bag = torch.zeros(len(tokenizer))
    bag[list(set(encode_prompt(tokenizer, prompt)))] = 1.0
    return bag
