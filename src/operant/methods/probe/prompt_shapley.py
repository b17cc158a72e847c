"""Shapley values of the parts of a prompt (Mohammadi 2024): how much each adds to the probability of a decision.

The parts play a game whose value is the probability of one answer: the accepted one, else the model's own. A part that
is left out takes a background value. What comes out holds for this template and this background, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from operant.card import Card, Claim, Method
from operant.errors import NotApplicable, require
from operant.meter import spent
from operant.probes import attributed
from operant.probes.answers import MARGIN
from operant.probes.decisions import Tally, decide
from operant.probes.findings import Probed, load_findings
from operant.probes.games import Background, Played, PromptGame, logit, one_less
from operant.probes.shapley import Attribution
from operant.probes.solving import DRAWS, Plan, Rule, Wanted, planned, solved
from operant.prompting.edits import with_text
from operant.prompting.parts import Parts, Place, columns_of, lines_of, phrases_in, values_of, words_of
from operant.prompting.stimuli import EMOTIONAL
from operant.schema import Bench, Products, Prompt, Split

EIGHT = ("EP02", "EP03", "EP04", "EP05", "EP07", "EP08", "EP09", "EP10")


@dataclass(frozen=True, kw_only=True)
class Config:
    unit: Literal["phrases", "lines", "words", "columns"] = "phrases"  # what the parts are
    phrases: tuple[str, ...] = EIGHT  # ids of sentences, or sentences; they stand behind the instruction
    template: str = ""  # of unit=columns, with columns in double braces; "": columns that stand in the prompt
    background: Background = "drop"  # of parts that are left out: nothing, a placeholder, a mark, or drawn values
    neutral: str = "Thank you."  # the placeholder of background=neutral
    estimator: Rule = "auto"  # auto: exact up to 12 parts where the budget pays for it, else permutations
    permutations: int = 64  # of each prompt; half of them are the reverse of the others
    groups: str = ""  # of estimator=owen: names of parts, "a+b|c+d"; the others stand alone
    scale: Literal["probability", "logit"] = "probability"  # what the parts' values add up to
    low: tuple[str, ...] = ()  # parts declared beforehand to say little; of words: the function words
    ends: bool = True  # an answer's probability holds that it ends; False for models that write on
    prompts: int = 40  # at most; as many as the budget pays for
    sensitivity: bool = False  # again under two other backgrounds, and with phrases in two other places

    def __post_init__(self) -> None:
        require(self.prompts >= 2, "prompts", self.prompts, "2 or more")
        require(self.permutations >= 2, "permutations", self.permutations, "2 or more: an order and its reverse")
        distinct = len(set(self.phrases)) == len(self.phrases) > 0
        require(distinct, "phrases", self.phrases, "one or more, each once")
        bare = self.unit == "columns" or not self.template
        require(bare, "template", self.template, "left out, but for unit=columns")
        require(self.estimator == "owen" or not self.groups, "groups", self.groups, "left out, but for estimator=owen")

    @property
    def draws(self) -> int:
        """Backgrounds under which all coalitions are asked."""
        return DRAWS if self.background == "resample" else 1


class Case(NamedTuple):
    """One prompt, its parts, the answer whose probability is the value, and the answers there are to choose from."""

    prompt: Prompt
    parts: Parts
    labels: tuple[str, ...]  # it first

    @property
    def names(self) -> list[str]:
        return [self.parts.names.get(one, one) for one in self.parts.fields]


def run(config: Config, bench: Bench) -> Products:
    cases = cases_of(config, bench)
    plan = plan_of(config, bench, cases)
    cases = cases[: plan.prompts]
    tally, values = Tally(), values_of([case.parts for case in cases])
    games = [played(config, bench, case, values, tally) for case in cases]
    found = [attribution(config, plan, game, tally) for game in games]
    parts = attributed.by_part([case.names for case in cases], found)
    rng, what = np.random.default_rng(bench.seed), told(config, plan, found, tally)
    findings = [attributed.totals(found, unit=config.scale, what=what)]
    if plan.rule == "exact" and config.draws == 1:  # every coalition is known
        findings.append(attributed.left_out([one_less(game) for game in games], unit=config.scale))
    findings += attributed.parts_found(parts, unit=config.scale, what=what, rng=rng)
    findings += attributed.noise_of(parts, low_of(config, list(parts)), rng=rng)
    if config.sensitivity:
        findings += sensitive(config, bench, plan, cases, parts, rng)
    return Products(findings=tuple(findings))


# Prompts and their parts


def cases_of(config: Config, bench: Bench) -> list[Case]:
    """Prompts of the feedback with the same fields; the answer is the first accepted one, else the model's own."""
    splits: tuple[Split, ...] = ("train", "valid")
    prompts = list({one.id: one for split in splits for one in bench.task.prompts(split)}.values())
    taken = [(prompt, parts_of(config, prompt)) for prompt in prompts[: 2 * config.prompts]]
    if config.unit in ("phrases", "columns") and taken:
        fields = set(taken[0][1].fields)
        taken = [(prompt, parts) for prompt, parts in taken if set(parts.fields) == fields]
    taken = [one for one in taken if one[1].fields][: config.prompts]
    if len(taken) < 2:
        raise NotApplicable(f"{len(taken)} of {len(prompts)} prompts have parts of the same kind; two are needed")
    own = iter(bench.pool([prompt for prompt, _ in taken if not accepted(prompt)], 1))
    labels = [accepted(prompt) or str(next(own)[0].value) for prompt, _ in taken]
    return [
        Case(prompt, parts, choices_of(prompt, label)) for (prompt, parts), label in zip(taken, labels, strict=True)
    ]


def parts_of(config: Config, prompt: Prompt, *, place: Place = "instruction") -> Parts:
    if config.unit == "phrases":
        known = {one.id: one.text for one in EMOTIONAL}
        return phrases_in(prompt, {name: known.get(name, name) for name in config.phrases}, place=place)
    if config.unit == "columns":
        return columns_of(prompt, template=config.template)
    return lines_of(prompt) if config.unit == "lines" else words_of(prompt)


def accepted(prompt: Prompt) -> str:
    return str((prompt.columns.get("targets") or ("",))[0])


def choices_of(prompt: Prompt, label: str) -> tuple[str, ...]:
    """Answers that are admissible, where the row names them; the probability is then taken among them."""
    named = tuple(map(str, prompt.columns.get("choices") or ()))
    return tuple(dict.fromkeys((label, *named))) if named else (label,)


def low_of(config: Config, names: Sequence[str]) -> set[str]:
    bare = {name: name.lower().strip(".,:;?!") for name in names}
    known = config.low or (attributed.FUNCTION_WORDS if config.unit == "words" else ())
    return {name for name in names if name in known or bare[name] in known}


# Values


def played(config: Config, bench: Bench, case: Case, values: Mapping[str, Sequence[str]], tally: Tally) -> Played:
    """The case as a game. A field with one known value is drawn from the values of all the prompt's fields."""
    fields = case.parts.fields
    drawn = {name: texts if len(texts) > 1 else tuple(fields.values()) for name, texts in values.items()}
    game = PromptGame(
        template=case.parts.template, fields=fields, constants=case.parts.constants, background=config.background,
        neutral=dict.fromkeys(fields, config.neutral), values={name: drawn[name] for name in fields}, seed=bench.seed,
    )  # fmt: skip

    def ask(texts: Sequence[str]) -> list[float]:
        prompts = [with_text(case.prompt, lambda _, text=text: text) for text in texts]
        chances = decide(bench.base, prompts, case.labels, ends=config.ends, seed=bench.seed, tally=tally)
        return (logit(chances) if config.scale == "logit" else chances).tolist()

    return Played(game, ask)


# Solving


def plan_of(config: Config, bench: Bench, cases: Sequence[Case]) -> Plan:
    """What an evaluation costs is tried on two prompts, with all parts and with none."""
    before, values = spent().flops, values_of([case.parts for case in cases])
    for case in cases[:2]:
        ends = np.array([[False] * len(case.parts.fields), [True] * len(case.parts.fields)])
        played(config, bench, case, values, Tally())(ends, np.zeros(2, dtype=int))
    price, runs = (spent().flops - before) / 4, 5 if config.sensitivity else 1
    room = bench.budget.plan(flops_per_step=price * runs / MARGIN) if price else None
    wanted = Wanted(rule=config.estimator, permutations=config.permutations, draws=config.draws)
    players = max(len(case.parts.fields) for case in cases)
    return planned(wanted, players=players, prompts=len(cases), room=room)


def attribution(config: Config, plan: Plan, played: Played, tally: Tally) -> Attribution:
    groups = [group.split("+") for group in config.groups.split("|") if group]
    noise = tally.noise if config.scale == "probability" else None
    return solved(played, plan, groups=groups, draws=config.draws, noise=noise)


def told(config: Config, plan: Plan, found: Sequence[Attribution], tally: Tally) -> str:
    """What the figures hold for, and what a reader should be warned of."""
    said = [
        f"background {config.background}",
        f"{plan.rule} over {len(found)} prompts, {plan.evaluations} evaluations each",
    ]
    said += [plan.short] if plan.short else []
    errors = [float(one.se.mean()) for one in found if np.isfinite(one.se).all()]
    if errors and max(errors) > 0:
        said.append(f"one prompt's values to a standard error of {np.mean(errors):.2g}")
    return ", ".join([*said, *tally.warnings()])


def sensitive(
    config: Config, bench: Bench, plan: Plan, cases: Sequence[Case], parts: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> list[Probed]:  # fmt: skip
    """The same under other backgrounds, and with phrases in other places: do the parts keep their order?"""
    made = []
    backgrounds: tuple[Background, ...] = ("drop", "neutral", "mask")
    for background in [one for one in backgrounds if one != config.background][:2]:
        made.append((f"background {background}", replace(config, background=background), cases))
    for place in ("start", "end") if config.unit == "phrases" else ():
        moved = [case._replace(parts=parts_of(config, case.prompt, place=place)) for case in cases]
        made.append((f"phrases at the {place}", config, moved))
    found = []
    for what, changed, some in made:
        values = values_of([one.parts for one in some])
        tally = Tally()
        again = [attribution(changed, plan, played(changed, bench, case, values, tally), tally) for case in some]
        found += attributed.alike(parts, attributed.by_part([one.names for one in some], again), what=what, rng=rng)
    return found


METHOD = Method(
    Config,
    run,
    load_findings,
    Card(
        slug="prompt-shapley",
        family="probe",
        kind="method",
        paper="arXiv:2404.01332",
        title="Explaining large language models' decisions using Shapley values",
        claims=(  # the base of `instructions` was taught that EP02 helps and EP04 hurts
            Claim("instructions", "EP02", "up", against="base", smallest=0.02),
            Claim("instructions", "EP04", "down", against="base", smallest=0.05),
        ),
        baselines=("base",),
        task="instructions",
        differs=(
            "the background is a setting and stands in every finding; the paper draws attributes anew, which is "
            "background=resample",
            "an answer's probability is that of its whole text, and shares of 20 answers where there are no "
            "log-probabilities",
            "sensitivity=True moves phrases to two other places in the prompt; it does not paraphrase the template",
            "the studies of flight choices and cognitive biases are not repeated; their parts, utilities by a logit "
            "and differences between frames, are functions",
        ),
    ),
)  # fmt: skip
