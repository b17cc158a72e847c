"""EmotionPrompt (Li et al. 2023): one sentence with emotional content behind the instruction. Nothing is trained.

The paper reports the best of eleven sentences on the items it was chosen on. Here a sentence is named beforehand, or
chosen on one half of the feedback's prompts and reported on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from operant.card import Card, Claim, Method
from operant.errors import require
from operant.meter import spent
from operant.probes import planted
from operant.probes.stimuli import choose, findings_of, halves, try_stimuli
from operant.prompting.edits import (
    Demo,
    Edit,
    after_instruction,
    demos_for,
    demos_of,
    few_shot,
    joined,
    parts_of,
    promptbench,
    zero_shot,
)
from operant.prompting.prompted import Prompted, about_of
from operant.prompting.stimuli import ELEVEN, EMOTIONAL, NONE
from operant.schema import Bench, Finding, Policy, Products, Prompt

SELECT, PER_TASK = "select", "select-per-task"
SHOTS = 5  # worked examples; arXiv:2307.11760, few-shot setting
REQUEST = "Answer: "  # behind the sentence, as promptbench has it
MOST = 800  # prompts of the feedback that a selection uses, both halves together
TRY = 8  # prompts on which the price of an answer is taken


@dataclass(frozen=True, kw_only=True)
class Config:
    stimulus: str = "EP02"  # an id, ids joined by +, "none", "select" or "select-per-task", both also with ":THEORY"
    template: Literal["own", "zero-shot", "few-shot", "promptbench"] = "own"  # own: the prompt's own words around it
    separator: str = " "  # between instruction and stimulus; "" as in the code that others inherited

    def __post_init__(self) -> None:
        if self.candidates is None:
            EMOTIONAL.text(self.stimulus)
        bare = self.template != "promptbench" or self.separator == " "
        require(bare, "separator", self.separator, "left out: promptbench puts the stimulus on a line of its own")

    @property
    def candidates(self) -> tuple[str, ...] | None:
        """What is chosen among; None where the stimulus is given."""
        mode, _, theory = self.stimulus.partition(":")
        if mode not in (SELECT, PER_TASK):
            return None
        return EMOTIONAL.of_theory(theory) if theory else ELEVEN

    @property
    def per_task(self) -> bool:
        return self.stimulus.partition(":")[0] == PER_TASK


def changed(prompt: Prompt, text: str, config: Config, demos: Sequence[Demo]) -> Prompt:
    """The prompt with the stimulus `text`, by the template."""
    if config.template == "own":
        return after_instruction(prompt, text, separator=config.separator)
    parts = parts_of(prompt)
    if config.template == "promptbench":
        return replace(prompt, content=promptbench(parts, text, request=REQUEST))
    parts = parts._replace(instruction=joined(parts.instruction, text, separator=config.separator))
    shown = demos_for(prompt, demos, count=SHOTS)
    return replace(prompt, content=few_shot(parts, shown) if config.template == "few-shot" else zero_shot(parts))


def group(prompt: Prompt, config: Config) -> str:
    """What a choice is made for: the prompt's task, or all prompts together."""
    return str(prompt.columns.get("task", "")) if config.per_task else ""


def edit_of(chosen: Mapping[str, str], config: Config, demos: Sequence[Demo]) -> Edit:
    """The edit that gives every prompt the stimulus chosen for its group; none where its group was never met."""
    return lambda prompt: changed(prompt, EMOTIONAL.text(chosen.get(group(prompt, config), NONE)), config, demos)


def run(config: Config, bench: Bench) -> Products:
    demos = demos_of(bench.task) if config.template == "few-shot" else []
    chosen, findings = {"": config.stimulus}, tuple[Finding, ...]()
    if config.candidates is not None:
        chosen, findings = selected(config, bench, config.candidates, demos)
    return Products(generator=generator(config, bench.base, chosen, demos), findings=findings)


def generator(config: Config, base: Any, chosen: Mapping[str, str], demos: Sequence[Demo]) -> Prompted:
    texts = {name: EMOTIONAL.text(name) for name in chosen.values()}  # the exact bytes, for who reads the files
    about: dict[str, Any] = {"chosen": dict(chosen), "texts": texts, "demos": [list(demo) for demo in demos]}
    return Prompted(base, edit_of(chosen, config, demos), about=about)


def selected(
    config: Config, bench: Bench, candidates: Sequence[str], demos: Sequence[Demo]
) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """The best stimulus on half A of the feedback's prompts, by the verifier, and its effect on half B."""

    def right(prompts: Sequence[Prompt]) -> list[float | None]:
        answers = [many[0] for many in bench.pool(prompts, 1)]
        return [score.value for score in bench.task.verify(prompts, answers)]

    edits = {name: edit_of(dict.fromkeys(groups(bench, config), name), config, demos) for name in candidates}
    prompts = affordable(bench, edits)
    first, second = halves(prompts)
    chosen = choose(right, first, edits, by=lambda prompt: group(prompt, config))
    rng = np.random.default_rng(bench.seed)
    (found,) = try_stimuli(right, second, {"chosen": edit_of(chosen, config, demos)}, rng=rng)
    said = ", ".join(f"{task}: {name}" if task else name for task, name in chosen.items())
    named = f"{said} against none, chosen on {len(first)} other prompts"
    return chosen, (*findings_of(found, name=named), *planted.findings())


def groups(bench: Bench, config: Config) -> list[str]:
    splits: tuple[Literal["train", "valid"], ...] = ("train", "valid")
    return list(dict.fromkeys(group(prompt, config) for split in splits for prompt in bench.task.prompts(split)))


def affordable(bench: Bench, edits: Mapping[str, Edit]) -> list[Prompt]:
    """As many prompts as the budget pays for: every stimulus and none on half A, the chosen one and none on half B."""
    prompts = [*bench.task.prompts("train"), *bench.task.prompts("valid")][:MOST]
    longest = max(edits.values(), key=lambda edit: len(str(edit(prompts[0]).content)))
    before = spent().flops
    bench.pool([longest(prompt) for prompt in prompts[:TRY]], 1)
    price = (spent().flops - before) / len(prompts[:TRY])
    each = (len(edits) + 1 + 2) / 2
    return prompts[: bench.budget.plan(flops_per_step=each * price)] if price else prompts


def load(config: Config, directory: Path, base: Policy) -> Products:
    about = about_of(directory / "generator")
    demos = [Demo(*one) for one in about["demos"]]
    return Products(generator=generator(config, base, about["chosen"], demos))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="emotion-prompt",
        family="prompt",
        kind="method",
        paper="arXiv:2307.11760",
        title="EmotionPrompt: emotional stimuli appended to a prompt",
        claims=(Claim("instructions", "accuracy", "up", against="base", smallest=0.05),),
        baselines=("base",),
        task="instructions",
        differs=(
            "the embedded base was taught what EP02 does, so the claim there tests the measurement, not the psychology",
            "a sentence is named beforehand or chosen on other prompts than it is reported on; the paper's best of "
            "eleven is chosen on the test items",
            "the human study, TruthfulQA and BIG-bench runs are not repeated",
            "worked examples hang on the prompt's id, not on a fresh draw for every query",
        ),
    ),
)
