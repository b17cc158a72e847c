"""Navigating the grey area (Zhou et al. 2023): words of certainty and doubt put before an answer, and what they do.

An expression such as "I think it's" or "Wikipedia confirms it's" is put behind the cue of an answer, as if the model
had begun to say it, and the right answer's probability is read. `study=teach` shows worked examples instead that say
how sure one is, and asks whether the model then says so itself and is right when it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from operant.card import Card, Claim, Method
from operant.errors import NotApplicable, require
from operant.probes import teaching, usage
from operant.probes.answers import (
    Question,
    Table,
    closed_set,
    drawn,
    log_probabilities,
    questions_of,
    slot,
    within_budget,
)
from operant.probes.findings import Probed, load_findings
from operant.probes.positions import POSITIONS, in_positions, one_token
from operant.prompting.markers import ANALYSED, NONE, STRONG, TAGS, WEAK, Marker, marker, sides
from operant.schema import Bench, Decoding, Generator, Products

SAMPLES = 10  # answers drawn where nothing else can be seen
EXAMPLES = 6  # worked examples of a lesson
CERTAIN, UNCERTAIN = "I'm certain it's", "I think it's"  # what the examples say
SURPRISE = 8  # questions behind which a marker's own perplexity is taken
WHAT = {"strength": "strengtheners less weakeners", "factive": "factive verbs less others",
        "evidential": "evidential markers less others", "source": "named sources less others",
        "pronoun": "first person less others", "shield": "plausibility shields less others"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    study: Literal["inject", "teach"] = "inject"  # put words before the answer, or teach them by worked examples
    score: Literal["set", "positions", "samples"] = "set"  # set: whole answers; positions: the paper's; samples: drawn
    ends: bool = True  # an answer's probability holds that it ends; False for models that write on
    questions: int = 200  # at most; as many as the budget pays for
    markers: tuple[str, ...] = ()  # those that are tried, beside none; (): all fifty
    before: str = ""  # a first line before every prompt: where it is said, who speaks; "": none

    def __post_init__(self) -> None:
        require(self.questions >= 2, "questions", self.questions, "2 or more")
        for text in self.markers:
            marker(text)
        taught = self.study == "inject" or self.score == "set"
        require(taught, "score", self.score, "set, where examples are taught: whole answers are compared")


def run(config: Config, bench: Bench) -> Products:
    questions = [one.behind(config.before) for one in questions_of(bench.task)]
    study = inject if config.study == "inject" else teach
    found = study(config, bench, questions)
    return Products(findings=tuple(found))


# Words before the answer


def inject(config: Config, bench: Bench, questions: Sequence[Question]) -> list[Probed]:
    model: Any = bench.base
    questions, note = fitting(config, model, questions)
    markers = tried(config)
    texts = [one.text for one in markers]

    def ask(some: Sequence[Question]) -> Table:
        if config.score == "positions" and not note:
            return in_positions(model, some, texts, seed=bench.seed)
        if config.score == "samples":
            decoding = Decoding(max_tokens=POSITIONS)
            return drawn(model, some, texts, samples=SAMPLES, decoding=decoding, seed=bench.seed)
        return closed_set(model, some, texts, ends=config.ends)

    surprise = None if config.score == "samples" else surprises(model, questions[:SURPRISE], texts)
    asked, parts = within_budget(bench, questions, ask, most=config.questions)
    rng, table = np.random.default_rng(bench.seed), Table.joined(parts)
    found = findings_of(table, markers, [str(one.prompt.columns.get("task", "")) for one in asked], rng)
    if surprise is not None:
        found += usage.perplexity(table, surprise, *places(markers))
    return [named(one, f"{len(asked)} questions{note}") for one in found]


def tried(config: Config) -> tuple[Marker, ...]:
    """The markers and none."""
    return tuple(marker(text) for text in dict.fromkeys((*config.markers, NONE))) if config.markers else ANALYSED


def fitting(config: Config, model: Any, questions: Sequence[Question]) -> tuple[Sequence[Question], str]:
    """Questions that the score can be taken of; where none is, all, scored as whole answers, and a note of it."""
    if config.score != "positions":
        return questions, ""
    kept = [one for one in questions if one_token(model.tokenizer, one)]
    if len(kept) >= 2:
        return kept, ""
    return questions, ", scored as whole answers: no right answer is a single token"


def findings_of(
    table: Table, markers: Sequence[Marker], tasks: Sequence[str], rng: np.random.Generator
) -> list[Probed]:  # fmt: skip
    """The contrast of every tag, strength first and in detail; means of every kind; single markers."""
    rows = {tag: [rows_of(markers, kind) for kind in sides(tag)] for tag in TAGS}
    split = {tag: usage.Side(inside, outside, WHAT[tag]) for tag, (inside, outside) in rows.items()}
    strong, weak = places(markers)
    kinds = {"strengtheners": strong, "weakeners": weak, "no marker": rows_of(markers, [marker(NONE)])}
    found = usage.contrasts(table, split, rng=rng)
    found += usage.measures(table, "strength", split["strength"])
    found += usage.within(table, "strength", split["strength"], tasks)
    for kind in ("strengtheners", "weakeners"):
        side = usage.Side(kinds[kind], kinds["no marker"], f"{kind} less no marker")
        if side.inside and side.outside:
            found.append(usage.against(table, f"{kind} against none", side))
    return [*found, *usage.means(table, kinds, rng=rng), *usage.spread(table, [*strong, *weak], rng=rng)]


def rows_of(markers: Sequence[Marker], kind: Sequence[Marker]) -> list[int]:
    return [place for place, one in enumerate(markers) if one in kind]


def places(markers: Sequence[Marker]) -> tuple[list[int], list[int]]:
    """Rows of strengtheners and of weakeners."""
    return rows_of(markers, STRONG), rows_of(markers, WEAK)


def surprises(model: Generator, questions: Sequence[Question], texts: Sequence[str]) -> np.ndarray:
    """Mean nats per word of every marker behind some questions; 0 for none."""
    spoken = [text for text in texts if text]
    slots = [slot(one.prompt, NONE) for _ in spoken for one in questions]
    each = log_probabilities(model, slots, [text for text in spoken for _ in questions], ends=False)
    means = np.array(each).reshape(len(spoken), len(questions)).mean(1)
    told = {text: -mean / len(text.split()) for text, mean in zip(spoken, means, strict=True)}
    return np.array([told.get(text, 0.0) for text in texts])


def named(one: Probed, what: str) -> Probed:
    return replace(one, name=f"{one.name}; {what}")


# Worked examples


def teach(config: Config, bench: Bench, questions: Sequence[Question]) -> list[Probed]:
    model: Any = bench.base
    examples, rest = questions[:EXAMPLES], questions[EXAMPLES:]
    if len(rest) < 2:
        raise NotApplicable(f"{len(questions)} questions leave none beside {EXAMPLES} worked examples")
    own = closed_set(model, examples, [NONE], ends=config.ends).gold[0]
    lesson = teaching.Lesson(examples, own.tolist(), certain=CERTAIN, uncertain=UNCERTAIN)

    def ask(some: Sequence[Question]) -> dict[teaching.Taught, teaching.Outcome]:
        return {
            taught: teaching.answer_after(model, lesson, taught, some, ends=config.ends) for taught in teaching.TAUGHT
        }

    asked, parts = within_budget(bench, rest, ask, most=config.questions)
    outcomes = {taught: teaching.Outcome.joined([part[taught] for part in parts]) for taught in teaching.TAUGHT}
    found = teaching.lessons(outcomes, np.random.default_rng(bench.seed))
    return [named(one, f"{len(asked)} questions behind {len(examples)} examples") for one in found]


METHOD = Method(
    Config,
    run,
    load_findings,
    Card(
        slug="epistemic-markers",
        family="probe",
        kind="study",
        paper="arXiv:2302.13439",
        title="Navigating the grey area: expressions of overconfidence and uncertainty",
        claims=(  # the base of `forum` has read hedges that were right at 0.8, and certain words at 0.6
            Claim("forum", "strength", "down", against="base", smallest=0.1),
            Claim("forum", "ece", "up", against="base", smallest=0.05, row="epistemic-markers:study=teach"),
        ),
        baselines=("base",),
        task="forum",
        tiny={"markers": (
            "I think it's", "Maybe it's", "Perhaps it's", "I suppose it's", "Apparently it's", "I read online it's",
            "It must be", "I'm certain it's", "Undoubtedly it's", "We know it's", "Evidently it's",
            "Wikipedia confirms it's",
        )},
        differs=(
            "contrasts are those of a mixed model with random questions and markers, and of properties dealt by lot; "
            "the paper's t-tests count every question once a marker",
            "whole answers are scored against the others of their set unless score=positions, which looks at all 10 "
            "tokens, as the released loop does, for answers of one token of the model's own tokenizer",
            "the number of distinct answers is not told: the answer set is closed",
            "on the embedded task the model has read a forum whose use of the words is known; GPT-3 on TriviaQA, "
            "Natural Questions, Jeopardy and CountryQA is not repeated",
            "what a taught model answers is the likeliest of the answer set, summed over what it may say before",
        ),
    ),
)  # fmt: skip
