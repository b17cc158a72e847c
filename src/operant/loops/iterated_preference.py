"""Learning from pairs of a policy's own answers, round after round.

A round asks prompts that no other round asks. The policy answers each several times; the method judges the answers and
pairs them; one fit of the policy on those pairs ends the round. Its reference is what the policy was when the round
began, unless the method wants another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

from torch import Tensor

from operant.decoding.nucleus import Nucleus, nucleus_answers
from operant.disk import answer_seed
from operant.engine.body import read_flops, size_of
from operant.engine.logps import AnswerLogps, all_logps, item_values
from operant.engine.policy import LanguageModel
from operant.engine.processes import gathered, place
from operant.engine.rollouts import Asked, rollout_flops
from operant.errors import OperantError, require
from operant.loops.policy_gradient import askable
from operant.loops.rounds import RoundFit
from operant.loops.student import Student, left
from operant.meter import Cost, charge_cost, spent
from operant.models.text import Encoded
from operant.schema import Answer, Bench, Pair, Prompt
from operant.training.budgeted import Fit, Stage
from operant.training.pairs import PairLogps, PairRow, answers_of, pair_cost, pair_logps, pair_rows


@dataclass(frozen=True, kw_only=True)
class Iterated(Fit):
    """Settings of every method that learns from pairs of its own answers."""

    rounds: int = 3
    samples: int = 5  # answers drawn for each prompt
    temperature: float = 1.0
    top_p: float = 0.95
    max_tokens: int = 24  # of an answer; a comparison draws answers of as many
    later: float = 1.0  # learning rate of a round over that of the round before
    sampling: float = 0.5  # share of a round's budget, at most, for drawing and judging
    epochs: float | None = 1  # of a round over its pairs

    def __post_init__(self) -> None:
        require(self.rounds >= 1, "rounds", self.rounds, "at least 1")
        require(self.samples >= 2, "samples", self.samples, "at least 2 answers a prompt, or there is no pair")
        require(self.later > 0, "later", self.later, "above 0")
        require(0 < self.sampling < 1, "sampling", self.sampling, "between 0 and 1, a share of a round's budget")
        _ = self.how  # which refuses wrong settings

    @property
    def how(self) -> Nucleus:
        return Nucleus(max_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p)


class Drawn(NamedTuple):
    """A prompt and the policy's answers to it."""

    prompt: Prompt
    answers: tuple[Answer, ...]


class Now(NamedTuple):
    """What a method is told of a round."""

    number: int  # from 0
    student: Student  # whose policy drew
    drawn: tuple[Drawn, ...]


@dataclass(frozen=True, kw_only=True)
class Preferring:
    """What makes one method of iterated preferences different from another."""

    pairs: Callable[[Now], Sequence[Pair]]  # a margin is the label: P(chosen is better), 1 where there is none
    loss: Callable[[PairLogps, Tensor], Tensor]  # (log-ratios, labels) -> [pairs]
    reads: int = 1  # passes of a model over each drawn answer, while it is judged
    labels: int = 0  # of the annotator, for each prompt
    reference: Callable[[Student], Any] = lambda student: student.policy  # whose log-probabilities a fit starts from
    reserve: float = 0.0  # FLOPs that the rounds leave over
    reserve_labels: int = 0


@dataclass
class Learnt:
    """What the rounds left: the policy while it may be trained on, and how many pairs each learnt from."""

    student: Student
    prompts: list[int] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)


def iterated_preference(
    bench: Bench, recipe: Preferring, settings: Iterated, *, student: Student | None = None
) -> Learnt:  # fmt: skip
    """Rounds over disjoint parts of the training prompts, each with an equal part of what is left of the budget.

    A round in which no pair is left ends them all, with OperantError and what was counted where it is the first.
    """
    found = Learnt(student or Student(bench))
    parts = parted(bench, settings)
    for number, asked in enumerate(parts):
        allowance = (left(bench) - recipe.reserve) / (len(parts) - number)
        pairs = _made(bench, found, recipe, settings, asked, number, allowance)
        found.pairs.append(len(pairs))
        if not pairs:
            if number == 0:
                raise OperantError(
                    f"none of {found.prompts[0]} prompts with {settings.samples} answers each left a pair to learn "
                    "from; draw more answers (samples=), or weaken the rule for pairs"
                )
            break
        _fit(bench, found.student, recipe, settings, pairs, number, (len(parts) - 1 - number) * allowance)
    return found


def parted(bench: Bench, settings: Iterated) -> list[list[Asked]]:
    """The prompts of each round: as many as there are rounds, drawn at random, no prompt in two."""
    base: Any = bench.base
    room = RoundFit(learning_rate=settings.learning_rate, max_tokens=settings.max_tokens)
    asked = askable(base.tokenizer, bench, room)
    mixed = Random(answer_seed(bench.seed, "parts")).sample(asked, len(asked))
    rounds = min(settings.rounds, len(mixed))
    return [mixed[number::rounds] for number in range(rounds)]


def _made(
    bench: Bench, found: Learnt, recipe: Preferring, settings: Iterated, asked: Sequence[Asked], number: int,
    allowance: float,
) -> list[Pair]:  # fmt: skip
    """The round's pairs. The first process makes them, for a judge may not say the same twice; all are charged."""
    made: tuple[list[Pair], int, Cost] | None = None
    if place().first:
        before = spent()
        count = affordable(bench, found.student, recipe, settings, asked, number, settings.sampling * allowance)
        drawn = draw(bench, found.student.policy, settings, asked[:count], number)
        pairs = list(recipe.pairs(Now(number, found.student, drawn)))
        made = pairs, count, spent().minus(before)
    shared = gathered(made)[0]
    assert shared is not None
    pairs, count, cost = shared
    if not place().first:
        charge_cost(cost)
    found.prompts.append(count)
    return pairs


def affordable(
    bench: Bench, student: Student, recipe: Preferring, settings: Iterated, asked: Sequence[Asked], number: int,
    most: float,
) -> int:  # fmt: skip
    """How many of the prompts can be asked for `most` FLOPs if no answer ends early, and for the labels left."""
    module = student.policy.module
    longest = max(asked, key=lambda one: len(one.ids))
    rows = [Encoded(longest.ids, (0,) * settings.max_tokens)] * settings.samples
    price = rollout_flops(module, [longest], n=settings.samples, max_tokens=settings.max_tokens)
    price += recipe.reads * read_flops(module, size_of(module, rows))
    count = max(1, min(len(asked), int(most / price)))
    if recipe.labels:
        rounds = settings.rounds - number
        labels = bench.budget.plan(flops_per_step=1.0, labels_per_step=1.0) - recipe.reserve_labels
        count = min(count, max(1, labels // rounds // recipe.labels))
    return count


def draw(
    bench: Bench, policy: LanguageModel, settings: Iterated, asked: Sequence[Asked], number: int
) -> tuple[Drawn, ...]:  # fmt: skip
    """The policy's answers of a round; an answer of nothing but its end is left out."""
    answers = nucleus_answers(
        policy.module, policy.tokenizer, asked, n=settings.samples, how=settings.how,
        seed=answer_seed(bench.seed, "round", number),
    )  # fmt: skip
    return tuple(
        Drawn(one.prompt, tuple(answer for answer in many if str(answer.value).strip()))
        for one, many in zip(asked, answers, strict=True)
    )


def referenced(rows: Sequence[PairRow], model: LanguageModel) -> list[PairRow]:
    """Rows with a model's log-probabilities of their answers, nats; each answer is read once, however many pairs.

    Nothing is kept on disk: nobody else will ask this model.
    """
    both = list(dict.fromkeys(side for row in rows for side in (row.chosen, row.rejected)))
    sums = dict(zip(both, map(sum, all_logps(model.module, both, pad=model.tokenizer.pad_token_id)), strict=True))
    return [replace(row, chosen_reference=sums[row.chosen], rejected_reference=sums[row.rejected]) for row in rows]


def _fit(
    bench: Bench, student: Student, recipe: Preferring, settings: Iterated, pairs: Sequence[Pair], number: int,
    later: float,
) -> None:  # fmt: skip
    """One fit on the round's pairs; `later` FLOPs are left to the rounds behind it."""
    pad = student.policy.tokenizer.pad_token_id
    rows = pair_rows(student.policy.tokenizer, pairs, max_length=bench.max_length)
    rows = referenced(rows, recipe.reference(student))

    def loss(module: Any, part: Sequence[PairRow], whole: Sequence[PairRow]) -> Tensor:
        assert whole

        def of(places: Sequence[int], logps: AnswerLogps) -> Tensor:
            own = [part[place] for place in places]
            labels = logps.logps.new_tensor([1.0 if row.margin is None else row.margin for row in own])
            return recipe.loss(pair_logps(own, logps), labels)

        return item_values(module, [answers_of(row) for row in part], of, pad=pad)

    slower = replace(settings, learning_rate=settings.learning_rate * settings.later**number)
    kept = (later + recipe.reserve) / left(bench)
    student.fit(rows, loss, slower, pair_cost, stage=Stage(name=f"round-{number}", share=max(1e-9, 1 - kept)))
