"""Guided sampling: a frozen base and one or more language models as rewards, combined token by token.

log p(v) = log base(v) + sum of weight x log guide(v) - log Z. With guides trained as autoregressive reward models this
is the KL-regularised optimum with strength 1 / weight, token by token (GenARM, arXiv:2410.08193, eq. 8); with a tuned
model at weight w and its untuned twin at -w it is delta arithmetic (DExperts, arXiv:2105.03023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from operant.disk import read_json, write_json
from operant.engine.guided import mixed_kls, mixed_logps
from operant.engine.mix import Part
from operant.engine.policy import LanguageModel, as_answer, loading_of
from operant.engine.sampler import Asked, Source, sample_from
from operant.models.loading import Loading
from operant.models.text import Encoded, encode, encode_prompt, same_tokens, stop_ids
from operant.schema import KL, Answer, Decoding, Point, Policy, Products, Prompt


class Guide(NamedTuple):
    """A language model with the weight that its log-probabilities get."""

    model: LanguageModel
    weight: float


class Guided:
    """The base, steered. Each model reads the prompt through its own chat template; all share one vocabulary."""

    def __init__(
        self,
        base: LanguageModel,
        guides: Mapping[str, Guide],
        *,
        base_weight: float = 1.0,
        ladder: Sequence[float] = (),
    ):
        for name, guide in guides.items():
            same_tokens(base.tokenizer, guide.model.tokenizer, what=name)
        self.base, self.guides, self.base_weight, self.ladder = base, dict(guides), base_weight, tuple(ladder)

    @property
    def models(self) -> list[LanguageModel]:
        return [self.base, *(guide.model for guide in self.guides.values())]

    @property
    def parts(self) -> list[Part]:
        guides = [Part(guide.model.module, guide.weight) for guide in self.guides.values()]
        return [Part(self.base.module, self.base_weight), *guides]

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n answers drawn from the mixture, with its log-probabilities."""
        asked = [
            Asked(prompt.id, tuple(encode_prompt(model.tokenizer, prompt) for model in self.models))
            for prompt in prompts
        ]
        tokenizer = self.base.tokenizer
        drawn = sample_from(
            Source(self.parts), asked, n=n, decoding=decoding, seed=seed,
            stops=stop_ids(self.base.module, tokenizer), pad=tokenizer.pad_token_id,
        )  # fmt: skip
        return [[as_answer(tokenizer, one) for one in many] for many in drawn]

    def _rows(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[list[Encoded]]:
        return [encode(model.tokenizer, prompts, answers) for model in self.models]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        return mixed_logps(self.parts, self._rows(prompts, answers), pad=self.base.tokenizer.pad_token_id)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        rows = self._rows(prompts, answers)
        plain = encode(base.tokenizer, prompts, answers)
        values = mixed_kls(self.parts, rows, base.module, plain, pad=self.base.tokenizer.pad_token_id)
        return KL(values=tuple(values), kind="estimate", why="exact per token, averaged over sampled answers")

    def at(self, factor: float) -> Guided:
        """The same steering, `factor` times as strong; 0 is the base."""
        guides = {name: Guide(guide.model, guide.weight * factor) for name, guide in self.guides.items()}
        return Guided(self.base, guides, base_weight=1 + (self.base_weight - 1) * factor)

    def points(self) -> list[Point]:
        """The weights' common factor, along the ladder."""
        return [Point(knob="weight", value=factor, generator=self.at(factor)) for factor in self.ladder]

    def save(self, directory: Path) -> None:
        """Every net it uses, and the weights."""
        weights = [[name, guide.weight] for name, guide in self.guides.items()]  # in order: sums depend on it
        write_json(
            directory / "guides.json", {"weights": weights, "base": self.base_weight, "ladder": list(self.ladder)}
        )
        self.base.save(directory / "base")
        for name, guide in self.guides.items():
            guide.model.save(directory / name)

    @classmethod
    def load(cls, directory: Path, loading: Loading) -> Guided:
        about = read_json(directory / "guides.json")
        base = LanguageModel.load(directory / "base", loading)
        guides = {
            name: Guide(LanguageModel.load(directory / name, loading), weight) for name, weight in about["weights"]
        }
        return cls(base, guides, base_weight=about["base"], ladder=about["ladder"])


def load_guided(config: Any, directory: Path, base: Policy) -> Products:
    """A method whose product is a guided base and nothing else."""
    assert config is not None
    return Products(generator=Guided.load(directory / "generator", loading_of(base)))
