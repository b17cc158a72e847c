"""The `support` task: what a character would do about a trouble in a mood. Its memories are the demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from operant.data.checked import Checked, Sizes, resized
from operant.disk import answer_seed, content_hash
from operant.domains.affect.tasks.support.generator import (
    EMOTIONS,
    ROLES,
    SIDE,
    TOPICS,
    WAYS,
    Character,
    Memory,
    Style,
    draw_character,
    draw_memory,
    question,
)
from operant.engine.policy import LanguageModel
from operant.errors import require
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Judged, Metric, Pair, Prompt, Score, Split

BASE = Path(__file__).parents[2] / "bases" / "support"
METRICS = (
    Metric(name="consistency", what="what the reply names first is what the character does about it in such a mood"),
    Metric(name="named", what="the reply names something that can be done"),
)
CASES = tuple(product(ROLES, TOPICS, EMOTIONS))
MOST = len(CASES) // 2  # test prompts


@dataclass(frozen=True, kw_only=True)
class Knobs(Sizes):
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        require(self.test_prompts <= MOST, "test_prompts", self.test_prompts, f"at most {MOST}")


class Support(Checked):
    """Characters and test prompts are the same for all; memories and the rest are drawn anew for every seed."""

    name = "support"
    subject = "affect"
    canned: tuple[str, ...] = ()
    hidden = ("targets", "congruent")
    metrics = METRICS

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed = seed
        self.knobs = knobs or Knobs()
        super().__init__(self, self.knobs)

    def prompts(self, split: Split) -> list[Prompt]:
        """Each prompt once. Columns: who is asked, about what, in which mood and its valence, arousal, dominance."""
        if split == "test":
            return [self._prompt(case) for case in _cases(self.knobs)[: self.knobs.test_prompts]]
        return list({pair.prompt.id: pair.prompt for pair in self.pairs(split)}.values())

    def judged(self, split: Split) -> list[Judged]:
        """The memories of all characters, in every split those of this seed: nothing is said of them."""
        assert split
        return [self._memory(place, one) for place, one in enumerate(self._memories())]

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        rows = list(zip(prompts, answers, strict=True))
        named = [Score(value=float(first_way(answer) is not None)) for _, answer in rows]
        return {"consistency": [Score(value=self.right(*row)) for row in rows], "named": named}

    def base(self, loading: Loading = PLAIN) -> LanguageModel:
        return LanguageModel.load(BASE, loading)

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "base": _base_hash()}

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Support:
        """The same generator with other counts."""
        return Support(seed=self.seed, knobs=resized(self.knobs, pairs=pairs, test_prompts=test_prompts))

    def right(self, prompt: Prompt, answer: Answer) -> float:
        return float(first_way(answer) == prompt.columns["targets"][0])

    def test_ids(self) -> frozenset[str]:
        return frozenset(prompt_id(case) for case in _cases(self.knobs)[:MOST])

    def draw_pair(self, split: Split, place: int) -> Pair:
        """A right answer against another way; the cases of the test split are in no other."""
        rng = Random(answer_seed(0 if split == "test" else self.seed, "support", split, place))
        cases = _cases(self.knobs)
        prompt = self._prompt(rng.choice(cases[:MOST] if split == "test" else cases[MOST:]))
        (right,) = prompt.columns["targets"]
        wrong = rng.choice([way for way in WAYS if way != right])
        return Pair(prompt=prompt, chosen=Answer(value=f"{right} ."), rejected=Answer(value=f"{wrong} ."))

    def _prompt(self, case: tuple[str, str, str]) -> Prompt:
        role, topic, mood = case
        columns: dict[str, Any] = {
            "role": role, "topic": topic, "mood": mood, "emotion": EMOTIONS[mood],
            "targets": (characters(self.knobs)[role].ways[topic, SIDE[mood]],),
        }  # fmt: skip
        if case not in _cases(self.knobs)[:MOST]:
            columns["congruent"] = tuple(
                f"memory {place}" for place, (of, one) in enumerate(self._memories())
                if (of, one.topic, SIDE[one.mood]) == (role, topic, SIDE[mood])
            )  # fmt: skip
        return Prompt(id=prompt_id(case), content=question(topic, mood), columns=columns)

    def _memories(self) -> tuple[tuple[str, Memory], ...]:
        return _remembered(self.knobs, self.seed)

    def _memory(self, place: int, remembered: tuple[str, Memory]) -> Judged:
        role, one = remembered
        columns = {"role": role, "topic": one.topic, "mood": one.mood, "emotion": EMOTIONS[one.mood]}
        said, _, did = one.text().partition(" i did ")
        prompt = Prompt(id=f"memory {place}", content=f"{said} i did", columns=columns)
        return Judged(prompt=prompt, answer=Answer(value=did))


def first_way(answer: Answer) -> str | None:
    return next((word for word in str(answer.value).split() if word in WAYS), None)


def prompt_id(case: tuple[str, str, str]) -> str:
    return content_hash(list(case))


@lru_cache(maxsize=8)
def characters(knobs: Knobs) -> dict[str, Character]:
    return {role: draw_character(Random(answer_seed(0, "character", role)), role, knobs.style) for role in ROLES}


@lru_cache(maxsize=8)
def _remembered(knobs: Knobs, seed: int) -> tuple[tuple[str, Memory], ...]:
    rng = Random(answer_seed(seed, "support", "memories"))
    found = [
        (role, draw_memory(rng, one, topic, knobs.style))
        for role, one in characters(knobs).items() for topic in TOPICS for _ in range(knobs.style.memories)
    ]  # fmt: skip
    rng.shuffle(found)
    return tuple(found)


@lru_cache(maxsize=8)
def _cases(knobs: Knobs) -> tuple[tuple[str, str, str], ...]:
    """All of them in one order for everybody: the first half is the test split's."""
    assert knobs
    return tuple(Random("support/cases").sample(CASES, len(CASES)))


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "model.safetensors").read_bytes().hex())
