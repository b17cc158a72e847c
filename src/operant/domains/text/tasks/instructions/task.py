"""The `instructions` task: labelled items, right and wrong answers, an exact verifier, a base with planted effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from random import Random

from operant.data.checked import Checked, Sizes, resized
from operant.disk import answer_seed, content_hash
from operant.domains.text.induction import exact
from operant.domains.text.tasks.instructions.generator import Item, Style, draw, wrong
from operant.domains.text.tasks.instructions.wordings import INSTRUCTIONS, KINDS, framed
from operant.engine.policy import LanguageModel
from operant.errors import require
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Judged, Metric, Pair, Prompt, Score, Split

BASE = Path(__file__).parents[2] / "bases" / "instructions"
# What the stored base was taught of the emotional stimuli, by id: rates of wrong answers. All others are inert.
PLANTED = {"EP02": 0.0, "EP06": 0.0, "EP04": 0.7}  # EP06 contains the sentence of EP02
NOISE = 0.3
METRICS = (Metric(name="accuracy", what="the answer is the right one, but for case and punctuation"),)


@dataclass(frozen=True, kw_only=True)
class Knobs(Sizes):
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    style: Style = field(default_factory=Style)


class Instructions(Checked):
    """Feedback is drawn anew for every seed; test prompts are the same for all."""

    name = "instructions"
    canned: tuple[str, ...] = ()
    hidden = ("targets",)
    metrics = METRICS

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed = seed
        self.knobs = knobs or Knobs()
        super().__init__(self, self.knobs)

    def prompts(self, split: Split) -> list[Prompt]:
        """Each prompt once. In the test split tasks take turns, so that each has the same number of prompts."""
        if split == "test":
            return list(_test_prompts(self.knobs))
        return list({pair.prompt.id: pair.prompt for pair in self.pairs(split)}.values())

    def judged(self, split: Split) -> list[Judged]:
        """The right answers, as demonstrations."""
        return [Judged(prompt=pair.prompt, answer=pair.chosen) for pair in self.pairs(split)]

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        return {"accuracy": [Score(value=self.right(*row)) for row in zip(prompts, answers, strict=True)]}

    def base(self, loading: Loading = PLAIN) -> LanguageModel:
        return LanguageModel.load(BASE, loading)

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs), "base": _base_hash()}

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Instructions:
        """The same generator with other counts."""
        return Instructions(seed=self.seed, knobs=resized(self.knobs, pairs=pairs, test_prompts=test_prompts))

    def right(self, prompt: Prompt, answer: Answer) -> float:
        return exact(str(answer.value), prompt.columns["targets"])

    def test_ids(self) -> frozenset[str]:
        return _test_ids(self.knobs)

    def draw_pair(self, split: Split, place: int) -> Pair:
        """Drawn again while a training or validation prompt is a test prompt."""
        rng = Random(answer_seed(0 if split == "test" else self.seed, "instructions", split, place))
        while True:
            item = draw(rng, self.knobs.style)
            prompt = prompt_of(item)
            if split == "test" or prompt.id not in _test_ids(self.knobs):
                return Pair(prompt=prompt, chosen=Answer(value=item.target), rejected=Answer(value=wrong(rng, item)))


def prompt_of(item: Item) -> Prompt:
    """The item as a prompt; `framed(instruction, input)` of its columns is its content."""
    columns = {
        "task": item.task, "kind": KINDS[item.task], "level": item.level, "query": item.query, "wording": item.wording,
        "instruction": item.instruction, "input": item.text, "targets": (item.target,),
    }  # fmt: skip
    return Prompt(id=content_hash(item.prompt()), content=item.prompt(), columns=columns)


def reworded(prompt: Prompt, wording: int) -> Prompt:
    """The same item under another instruction of its task; the answer stays."""
    known = INSTRUCTIONS[prompt.columns["task"]]
    require(0 <= wording < len(known), "wording", wording, f"0 to {len(known) - 1}")
    content = framed(known[wording], prompt.columns["input"])
    columns = {**prompt.columns, "wording": wording, "instruction": known[wording]}
    return Prompt(id=content_hash(content), content=content, columns=columns)


@lru_cache(maxsize=8)
def _test_prompts(knobs: Knobs) -> tuple[Prompt, ...]:
    """Different ones: an item that was drawn before is drawn again."""
    found: dict[str, Prompt] = {}
    tasks = knobs.style.tasks
    for place in range(knobs.test_prompts):
        rng = Random(answer_seed(0, "instructions", "test prompt", place))
        style = replace(knobs.style, tasks=(tasks[place % len(tasks)],))
        while (prompt := prompt_of(draw(rng, style))).id in found:
            pass
        found[prompt.id] = prompt
    return tuple(found.values())


@lru_cache(maxsize=8)
def _test_ids(knobs: Knobs) -> frozenset[str]:
    """Prompts of the test split and of its pairs: no training or validation pair may have one of them."""
    pairs = Instructions(knobs=knobs).pairs("test")
    return frozenset(prompt.id for prompt in (*_test_prompts(knobs), *(pair.prompt for pair in pairs)))


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "model.safetensors").read_bytes().hex())
