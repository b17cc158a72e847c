"""A language model that answers behind a prefix or a tag, and never writes some tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.conditioning.text import Ids, prefixed
from operant.disk import read_json, write_json
from operant.engine.guided import mixed_kls, mixed_logps
from operant.engine.mix import Part
from operant.engine.policy import LanguageModel, as_answer, loading_of
from operant.engine.sampler import Asked, Source, sample_from
from operant.models.loading import Loading
from operant.models.text import Encoded, encode, encode_answer, encode_prompt, stop_ids
from operant.schema import KL, Answer, Decoding, Point, Policy, Products, Prompt

ABOUT = "conditioned.json"


class Conditioned:
    """Every prompt is read with ids before it (behind the start token) and after it.

    Banned tokens have probability 0 and the others are renormalised: in what is drawn, in log-probabilities and in the
    KL. The KL is to the base with the prompt as it is.
    """

    def __init__(
        self, model: LanguageModel, *, before: Ids = (), after: Ids = (), banned: frozenset[int] = frozenset()
    ):
        self.model, self.before, self.after, self.banned = model, tuple(before), tuple(after), frozenset(banned)

    @property
    def parts(self) -> list[Part]:
        return [Part(self.model.module, banned=self.banned)]

    def read(self, prompt: Prompt) -> Ids:
        """The ids that the model reads for a prompt."""
        tokenizer = self.model.tokenizer
        return (*prefixed(tokenizer, encode_prompt(tokenizer, prompt), self.before), *self.after)

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n sampled answers per prompt, with the tokens and log-probabilities they were drawn with."""
        tokenizer = self.model.tokenizer
        drawn = sample_from(
            Source(self.parts), [Asked(prompt.id, (self.read(prompt),)) for prompt in prompts], n=n, decoding=decoding,
            seed=seed, stops=stop_ids(self.model.module, tokenizer), pad=tokenizer.pad_token_id,
        )  # fmt: skip
        return [[as_answer(tokenizer, one) for one in many] for many in drawn]

    def _rows(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Encoded]:
        tokenizer = self.model.tokenizer
        return [
            Encoded(self.read(prompt), encode_answer(tokenizer, answer))
            for prompt, answer in zip(prompts, answers, strict=True)
        ]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        """Log-probability of each answer token behind the conditioned prompt, nats."""
        return mixed_logps(self.parts, [self._rows(prompts, answers)], pad=self.model.tokenizer.pad_token_id)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        """Each model reads the prompt in its own way; summed along sampled answers."""
        rows, plain = self._rows(prompts, answers), encode(base.tokenizer, prompts, answers)
        values = mixed_kls(self.parts, [rows], base.module, plain, pad=self.model.tokenizer.pad_token_id)
        return KL(values=tuple(values), kind="estimate", why="exact per token, averaged over sampled answers")

    def points(self) -> list[Point]:
        """The model's checkpoints, asked in the same way."""
        return [
            Point(knob=point.knob, value=point.value, generator=self.around(point.generator))
            for point in self.model.points()
        ]

    def around(self, model: Any) -> Conditioned:
        """The same conditioning of another model."""
        return Conditioned(model, before=self.before, after=self.after, banned=self.banned)

    def save(self, directory: Path) -> None:
        """A Hugging Face directory, and beside it what is put around a prompt."""
        self.model.save(directory)
        about = {"before": list(self.before), "after": list(self.after), "banned": sorted(self.banned)}
        write_json(directory / ABOUT, about)

    @classmethod
    def load(cls, directory: Path, loading: Loading) -> Conditioned:
        about = read_json(directory / ABOUT)
        model = LanguageModel.load(directory, loading)
        return cls(model, before=about["before"], after=about["after"], banned=frozenset(about["banned"]))


def load_conditioned(config: Any, directory: Path, base: Policy) -> Products:
    """A method whose product is a trained policy, conditioned or plain."""
    assert config is not None
    where = directory / "generator"
    kind = Conditioned if (where / ABOUT).is_file() else LanguageModel
    return Products(generator=kind.load(where, loading_of(base)))
