"""A language model that answers: the Policy of the schema, over a Hugging Face causal model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.disk import copy_file
from operant.engine.logps import all_kls, all_logps
from operant.engine.sampler import sample
from operant.models.causal import copy_module, load_causal, load_tokenizer, save_causal
from operant.models.text import decode, encode, encode_prompt
from operant.models.weights import load_weights
from operant.schema import KL, Answer, Decoding, Point, Prompt


class LanguageModel:
    """A causal language model with its tokenizer; `checkpoints` are weights it had on the way, by step."""

    def __init__(self, module: Any, tokenizer: Any, *, checkpoints: dict[int, Path] | None = None):
        self.module = module
        self.tokenizer = tokenizer
        self.checkpoints = dict(checkpoints or {})

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n sampled answers per prompt, with the tokens and log-probabilities they were drawn with."""
        asked = [(prompt.id, encode_prompt(self.tokenizer, prompt)) for prompt in prompts]
        drawn = sample(
            self.module, asked, n=n, decoding=decoding, seed=seed,
            eos=self.tokenizer.eos_token_id, pad=self.tokenizer.pad_token_id,
        )  # fmt: skip
        return [
            [
                Answer(
                    value=decode(self.tokenizer, one.tokens), tokens=one.tokens, logps=one.logps,
                    finish="stop" if one.stopped else "length",
                )
                for one in many
            ]
            for many in drawn
        ]  # fmt: skip

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        """Log-probability of each answer token at temperature 1, nats."""
        return all_logps(self.module, encode(self.tokenizer, prompts, answers), pad=self.tokenizer.pad_token_id)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        """Exact per-token KL summed along sampled answers: an unbiased estimate over answers."""
        if base is self:
            return KL(values=(0.0,) * len(prompts), kind="exact", why="this is the base")
        rows = encode(self.tokenizer, prompts, answers)
        values = all_kls(self.module, base.module, rows, pad=self.tokenizer.pad_token_id)
        return KL(values=tuple(values), kind="estimate", why="exact per token, averaged over sampled answers")

    def points(self) -> list[Point]:
        """The checkpoints of training, earliest first."""
        return [
            Point(knob="step", value=float(step), generator=self.at(path))
            for step, path in sorted(self.checkpoints.items())
        ]

    def at(self, weights: Path) -> LanguageModel:
        """The same model with the weights of a checkpoint."""
        module = copy_module(self.module)
        load_weights(module, weights)
        return LanguageModel(module, self.tokenizer)

    def snapshot(self) -> LanguageModel:
        return LanguageModel(copy_module(self.module), self.tokenizer)

    def save(self, directory: Path) -> None:
        """A Hugging Face directory, and the checkpoints beside it under points/."""
        save_causal(self.module, self.tokenizer, directory)
        for step, path in self.checkpoints.items():
            (directory / "points").mkdir(exist_ok=True)
            copy_file(path, directory / "points" / f"{step}.safetensors")

    @classmethod
    def load(cls, source: str | Path) -> LanguageModel:
        """From a Hugging Face directory or name."""
        tokenizer = load_tokenizer(source)
        found = Path(source).glob("points/*.safetensors") if Path(source).is_dir() else ()
        return cls(load_causal(source), tokenizer, checkpoints={int(path.stem): path for path in found})
