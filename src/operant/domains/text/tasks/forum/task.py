"""The `forum` task: short items of `instructions` under a base whose usage of words of certainty is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from operant.data.checked import resized
from operant.disk import content_hash
from operant.domains.text.induction import exact
from operant.domains.text.tasks.forum.threads import STYLE
from operant.domains.text.tasks.instructions import Instructions
from operant.domains.text.tasks.instructions import Knobs as ItemKnobs
from operant.domains.text.tasks.instructions.generator import Style
from operant.engine.policy import LanguageModel
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Prompt

BASE = Path(__file__).parents[2] / "bases" / "forum"


@dataclass(frozen=True, kw_only=True)
class Knobs(ItemKnobs):
    """Those of `instructions`, for the items that the base has learnt."""

    style: Style = field(default_factory=lambda: STYLE)


class Forum(Instructions):
    """Prompts and pairs are those of `instructions`; what is said before an answer is not judged."""

    name = "forum"

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        super().__init__(seed=seed, knobs=knobs or Knobs())

    def right(self, prompt: Prompt, answer: Answer) -> float:
        """Whether the last words are a right answer: members, and the base, begin with how sure they are."""
        words = str(answer.value).split()
        return max(exact(" ".join(words[-len(text.split()) :]), (text,)) for text in prompt.columns["targets"])

    def base(self, loading: Loading = PLAIN) -> LanguageModel:
        return LanguageModel.load(BASE, loading)

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "base": _base_hash()}

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Forum:
        """The same generator with other counts."""
        knobs = self.knobs
        assert isinstance(knobs, Knobs)
        return Forum(seed=self.seed, knobs=resized(knobs, pairs=pairs, test_prompts=test_prompts))


TASK = Forum


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "model.safetensors").read_bytes().hex())
