"""16 answers of 64 tokens: ours, transformers' generate, and with a guide against the two forward passes alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from benchmarks.subjects import END, PAD
from operant.engine.mix import Part
from operant.engine.sampler import Asked, Source, sample_from
from operant.engine.state import NEXT_LOGITS, State
from operant.schema import Decoding

ANSWERS, TOKENS = 16, 64
PROMPTS = (64, 256, 512)


Seconds = dict[str, list[float]]  # by name: of each round


def times(directory: Path, *, count: int) -> dict[int, Seconds]:
    """By length of the prompt: CPU seconds of each round, in turn, after one that is not counted."""
    models = [AutoModelForCausalLM.from_pretrained(directory).eval() for _ in range(2)]
    return {length: in_turn(_ways(models, _prompt(models[0], length)), count) for length in PROMPTS}


def doubled(directory: Path, *, count: int) -> Seconds:
    """The same for as many answers, and twice as many."""
    model = AutoModelForCausalLM.from_pretrained(directory).eval()
    ids = _prompt(model, PROMPTS[0])
    return in_turn({str(n): lambda n=n: _sampled([Part(model)], ids, n) for n in (ANSWERS, 2 * ANSWERS)}, count)


def in_turn(ways: dict[str, Callable[[], Any]], count: int) -> Seconds:
    found: Seconds = {name: [] for name in ways}
    for turn in range(count + 1):
        for name, way in ways.items():
            before = time.process_time()
            way()
            if turn:
                found[name].append(time.process_time() - before)
    return found


def _prompt(model: Any, length: int) -> tuple[int, ...]:
    rng = torch.Generator().manual_seed(0)
    return tuple(torch.randint(4, model.config.vocab_size, (length,), generator=rng).tolist())


def _ways(models: list[Any], ids: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    base, guide = models
    about = GenerationConfig(
        max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=True, top_k=0, pad_token_id=PAD, eos_token_id=END,
        num_return_sequences=ANSWERS,
    )  # fmt: skip
    asked = torch.tensor([ids])
    return {
        "generate": lambda: base.generate(asked, attention_mask=torch.ones_like(asked), generation_config=about),
        "ours": lambda: _sampled([Part(base)], ids),
        "ours, guided": lambda: _sampled([Part(base), Part(guide)], ids),
        "two forward passes": lambda: _forwards(models, ids),
    }


def _sampled(parts: list[Part], ids: tuple[int, ...], n: int = ANSWERS) -> Any:
    """No token ends an answer, so all have the same length."""
    asked = [Asked("0", (ids,) * len(parts))]
    decoding = Decoding(max_tokens=TOKENS)
    return sample_from(Source(parts), asked, n=n, decoding=decoding, seed=0, stops=frozenset(), pad=PAD)


@torch.no_grad()
def _forwards(models: list[Any], ids: tuple[int, ...]) -> None:
    """What guided sampling cannot do without: every token through both models."""
    states = [State(module, NEXT_LOGITS, [ids], pad=PAD, more=TOKENS) for module in models]
    token = torch.full((ANSWERS,), 7)
    for state in states:
        state.repeat(ANSWERS)
    for _ in range(TOKENS - 1):
        for state in states:
            state.step(token)


def ratios(found: dict[str, list[float]], what: str, against: str) -> list[float]:
    """Of each round: how many times as much `against` took."""
    return [theirs / ours for ours, theirs in zip(found[what], found[against], strict=True)]
