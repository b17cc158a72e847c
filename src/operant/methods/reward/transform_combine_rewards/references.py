"""What counts as good on a prompt: four ways to choose the reference reward, none of them the current policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from operant.errors import NotApplicable
from operant.models.text import encode_prompt
from operant.rewards.transform import Reference, quantile_reference
from operant.schema import Answer, Bench, Decoding, Policy, Prompt, Scorer

Find = Callable[[Sequence[Prompt]], list[Reference]]
Scorers = Mapping[str, Scorer]


def rewards_of(scorers: Scorers, prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> Tensor:
    """[prompts, answers, scorers] rewards; unknown ones are NaN and are refused by the transform."""
    asked = [prompt for prompt, many in zip(prompts, answers, strict=True) for _ in many]
    flat = [answer for many in answers for answer in many]
    columns = [scorer.score(asked, flat) for scorer in scorers.values()]
    values = torch.tensor([[float("nan") if one.value is None else one.value for one in many] for many in columns])
    return values.T.reshape(len(prompts), -1, len(scorers))


def by_quantile(base: Policy, scorers: Scorers, *, q: float, samples: int, gaussian: bool, decoding: Decoding) -> Find:
    """From answers of the base, drawn once per prompt under a seed of their own."""

    def find(prompts: Sequence[Prompt]) -> list[Reference]:
        answers = base.answer(prompts, n=samples, decoding=decoding, seed=0)
        return [quantile_reference(one, q=q, gaussian=gaussian) for one in rewards_of(scorers, prompts, answers)]

    return find


def by_canned(scorers: Scorers, canned: Sequence[str], around: Find) -> Find:
    """The largest reward of fixed acceptable answers; mean and spread still come from the base."""
    if not canned:
        raise NotApplicable("reference=canned needs stock answers, and this task has none; use reference=quantile")
    stock = [Answer(value=text) for text in canned]

    def find(prompts: Sequence[Prompt]) -> list[Reference]:
        best = rewards_of(scorers, prompts, [stock] * len(prompts)).max(1).values
        return [replace(one, centre=tuple(row.tolist())) for one, row in zip(around(prompts), best, strict=True)]

    return find


def by_constant(value: float, around: Find) -> Find:
    """One value for all prompts. Bradley-Terry leaves an offset per prompt free, so this is a poor choice."""

    def find(prompts: Sequence[Prompt]) -> list[Reference]:
        return [replace(one, centre=(value,) * len(one.mean)) for one in around(prompts)]

    return find


def by_regressor(bench: Bench, scorers: Scorers, *, q: float, samples: int, ridge: float = 1.0) -> Find:
    """Ridge regression from the prompt's words to mean and deviation of the base's rewards; Gaussian quantile of them.

    Fitted on base answers to the training prompts; then a prompt's reference costs no samples.
    """
    prompts = bench.task.prompts("train")
    rewards = rewards_of(scorers, prompts, bench.pool(prompts, samples))
    moments = torch.cat([rewards.mean(1), rewards.std(1, correction=0)], 1)
    bags = torch.stack([_bag(bench.base.tokenizer, prompt) for prompt in prompts])
    shift = moments.mean(0)
    weights = torch.linalg.solve(bags.T @ bags + ridge * torch.eye(bags.shape[1]), bags.T @ (moments - shift))
    return fitted(bench.base.tokenizer, weights, shift, q=q)


def fitted(tokenizer: Any, weights: Tensor, shift: Tensor, *, q: float) -> Find:
    """References from regression weights [vocabulary, 2 * scorers] and intercepts."""
    unit = torch.tensor([[-1.0], [1.0]])  # mean 0, deviation 1

    def one(prompt: Prompt) -> Reference:
        mean, spread = (_bag(tokenizer, prompt) @ weights + shift).chunk(2)
        return quantile_reference(mean + unit * spread.clamp(min=1e-3), q=q, gaussian=True)

    return lambda prompts: [one(prompt) for prompt in prompts]


def _bag(tokenizer: Any, prompt: Prompt) -> Tensor:
    """[vocabulary] 1 where the prompt holds the token."""
    bag = torch.zeros(len(tokenizer))
    bag[list(set(encode_prompt(tokenizer, prompt)))] = 1.0
    return bag
