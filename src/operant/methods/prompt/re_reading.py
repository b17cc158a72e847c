"""Re-reading (Xu et al. 2024): the question stands in the prompt twice, so that its second copy hears all of the first.

In a decoder a word hears only what stands before it. Words of the second copy hear the whole question. Nothing is
trained; a prompt grows by (times - 1) x (question + phrase).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from operant.card import Card, Claim, Method
from operant.decoding.majority import Majority
from operant.domains.text.induction import normalised
from operant.domains.text.maths.answers import final_answer
from operant.errors import require
from operant.models.text import encode_prompt
from operant.probes.findings import Probed, probed
from operant.probes.second_reading import Heard, heard
from operant.prompting.edits import Demo, Edit, demos_for, demos_of, parts_of
from operant.prompting.frames import Form, Trigger, as_program, asked_for, question_answer
from operant.prompting.prompted import Prompted, about_of
from operant.prompting.repeated import Again, Size, copies, read_again, span_of, words_in
from operant.prompting.room import fitting, tokenizer_of
from operant.schema import Bench, Policy, Products, Prompt
from operant.stats.crossed import over_items

PRICED = 50  # prompts over which the price of reading again is averaged
VOTING = 0.7  # temperature of self-consistency; arXiv:2309.06275, sec. 4


@dataclass(frozen=True, kw_only=True)
class Config(Again):
    template: Literal["own", "question-answer", "program"] = "own"  # own: the prompt's words around the question
    form: Form = "free"  # of the answer; all but "free" ask for it in a box, and what is not in one is not read
    trigger: Trigger = "none"  # how the answer begins
    shots: int = 0  # worked examples before the question, each read once
    votes: int = 1  # samples of which the most frequent answer is given; the paper has 10
    tried: int = 0  # prompts on which it is measured what stands in no box, and what the second copy hears

    def __post_init__(self) -> None:
        super().__post_init__()
        program = self.template == "program"
        require(not program or self.trigger == "none", "trigger", self.trigger, "none: a program begins by itself")
        require(not program or self.form == "free", "form", self.form, "free: a program returns its answer")
        require(self.votes >= 1, "votes", self.votes, "at least 1")
        require(self.shots >= 0, "shots", self.shots, "0 or more")
        framed = self.template == "question-answer"
        require(framed or not self.shots, "shots", self.shots, "0, or template=question-answer, which shows them")
        require(self.tried >= 0, "tried", self.tried, "0 or more")


def changed(prompt: Prompt, config: Config, demos: Sequence[Demo], *, size: Size = words_in) -> Prompt:
    """The prompt as it is asked."""
    if config.template == "own":
        again = read_again(prompt, config, size=size)
        return asked_for(again, form=config.form, trigger=config.trigger)
    instruction, text = parts_of(prompt)
    start, end = span_of(text, prompt, scope=config.scope)
    question = text[:end] + copies(text[start:end], config, size=size) + text[end:]
    if config.template == "program":
        return replace(prompt, content=as_program("\n".join(filter(None, (instruction, question)))))
    shown = demos_for(prompt, demos, count=config.shots) if config.shots else []
    framed = question_answer(question, form=config.form, trigger=config.trigger, demos=shown)
    return replace(prompt, content=f"{instruction}\n{framed}" if instruction else framed)


def reading(config: Config, text: str) -> str | None:
    """The answer that a vote counts: what the last box holds; without a form its first sentence, as it is compared."""
    if config.form == "free":
        return final_answer(text, styles=("boxed", "hash", "says")) or normalised(text) or None
    return final_answer(text, styles=("boxed",))


def run(config: Config, bench: Bench) -> Products:
    demos = demos_of(bench.task) if config.shots else []
    edit = edit_of(config, bench.base, demos)
    prompts = bench.task.prompts("valid") or bench.task.prompts("train")
    found = [price(config, prompts[:PRICED], tokenizer_of(bench.base))]
    if config.tried:
        found += measured(config, bench, edit, prompts[: config.tried])
    return Products(generator=generator(config, bench.base, edit, demos), findings=tuple(found))


def edit_of(config: Config, base: Any, demos: Sequence[Demo]) -> Edit:
    size = sized(tokenizer_of(base))
    return fitting(lambda prompt: changed(prompt, config, demos, size=size), base)


def generator(config: Config, base: Any, edit: Edit, demos: Sequence[Demo]) -> Prompted | Majority:
    about: Any = {"demos": [list(demo) for demo in demos]}
    asked = Prompted(base, edit, about=about)
    if config.votes == 1:
        return asked
    return Majority(asked, lambda text: reading(config, text), votes=config.votes, temperature=VOTING)


def sized(tokenizer: Any) -> Size:
    """Tokens of a text; words where no tokenizer is known."""
    if tokenizer is None:
        return words_in
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def price(config: Config, prompts: Sequence[Prompt], tokenizer: Any) -> Probed:
    """What reading again adds to a prompt, beside the same prompt read once."""
    once = replace(config, times=1)
    plain = [changed(prompt, once, ()) for prompt in prompts]
    again = [changed(prompt, config, (), size=sized(tokenizer)) for prompt in prompts]
    size = words_in if tokenizer is None else sized(tokenizer)
    more = [size(str(one.content)) - size(str(two.content)) for one, two in zip(again, plain, strict=True)]
    unit = "words a prompt" if tokenizer is None else "tokens a prompt"
    return probed("price", f"what reading {config.times} times adds to a prompt", over_items(more), unit=unit)


def measured(config: Config, bench: Bench, edit: Edit, prompts: Sequence[Prompt]) -> list[Probed]:
    """The share of answers that hold nothing to read; and where weights are at hand, what the second copy hears."""
    asked = [edit(prompt) for prompt in prompts]
    answers = [many[0] for many in bench.pool(asked, 1)]
    unread = [float(reading(config, str(one.value)) is None) for one in answers]
    found = [probed("unread", "answers in which no answer was found", over_items(unread), unit="share")]
    tokenizer = tokenizer_of(bench.base)
    rows = [] if tokenizer is None else list(zip(prompts, asked, strict=True))
    twice = [one for one in (listened(config, bench.base, *row) for row in rows) if one is not None]
    if len(twice) > 1:
        name = "from words that stand behind a word in the first copy, to the same word in the second"
        gradient, looked = (over_items(side) for side in zip(*twice, strict=True))
        found.append(probed("gradient", f"share of the gradient {name}", gradient, unit="share"))
        found.append(probed("attention", f"share of attention {name}", looked, unit="share"))
    return found


def listened(config: Config, base: Any, prompt: Prompt, asked: Prompt) -> Heard | None:
    """What the second copy hears in the prompt as it is asked; None where the question's tokens do not stand twice."""
    ids = encode_prompt(base.tokenizer, asked)
    question = str(prompt.columns.get("question") or prompt.columns.get("input") or prompt.content)
    part = tuple(base.tokenizer(question, add_special_tokens=False)["input_ids"])
    places = [at for at in range(len(ids) - len(part) + 1) if ids[at : at + len(part)] == part]
    if config.times == 1 or config.second == "filler" or len(places) < 2 or len(part) < 3:
        return None
    return heard(base.module, ids, first=places[0], second=places[1], length=len(part))


def load(config: Config, directory: Path, base: Policy) -> Products:
    kept = directory / "generator" / ("base" if config.votes > 1 else "")
    demos = [Demo(*one) for one in about_of(kept)["demos"]]
    return Products(generator=generator(config, base, edit_of(config, base, demos), demos))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="re-reading",
        family="prompt",
        kind="method",
        paper="arXiv:2309.06275",
        title="Re-reading improves reasoning in large language models",
        claims=(
            Claim("instructions", "accuracy", "up", against="base", smallest=0.03),
            Claim("instructions", "accuracy", "up", against="re-reading:second=filler", smallest=0.03),
        ),
        baselines=("base", "re-reading:times=3"),
        task="instructions",
        differs=(
            "the embedded base has seldom read a question twice and has hardly learnt the items whose query comes "
            "last, for which re-reading is meant: it would need longer training to show what a second reading is "
            "worth there",
            "fillers stand in for the second copy as a control, which the paper does not have",
            "no system message is put before the prompt; a conversation keeps its own",
            "a program is asked for in fewer words than the paper's, and whoever asks runs it",
        ),
    ),
)
