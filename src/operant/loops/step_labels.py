"""How right the steps of a solution are, with nobody to say so: how often the base comes from them to a right answer.

Source: Math-Shepherd, Wang et al. 2024, arXiv:2312.08935, sec. 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from operant.disk import answer_seed, content_hash
from operant.engine.rollouts import Asked, Rollout, rollout_flops, rollouts
from operant.models.steps import step_ends
from operant.models.text import Encoded, decode, encode_prompt
from operant.rewards.verified import verified
from operant.schema import Answer, Bench, Prompt
from operant.training.steps import StepRow, step_row

Kind = Literal["soft", "hard"]  # the share of completions that is right, or whether any is


class Solution(NamedTuple):
    """An answer of the base, and where its steps end."""

    prompt: Prompt
    row: Encoded
    answer: Answer
    ends: tuple[int, ...]


def solutions(
    bench: Bench, prompts: Sequence[Prompt], *, n: int, max_tokens: int, step_end: str
) -> list[Solution]:  # fmt: skip
    """n answers of the base to each prompt, of at least one token, behind which `max_tokens` more still fit."""
    tokenizer, found = bench.base.tokenizer, []
    for prompt, many in zip(prompts, bench.pool(prompts, n), strict=True):
        ids = encode_prompt(tokenizer, prompt)
        for answer in many:
            if answer.tokens and len(ids) + len(answer.tokens) + max_tokens < bench.max_length:
                ends = step_ends(tokenizer, answer.tokens, step_end)
                found.append(Solution(prompt, Encoded(ids, answer.tokens), answer, ends))
    return found


def step_values(
    bench: Bench, solved: Sequence[Solution], *, kind: Kind, n: int, max_tokens: int, share: float, whole: bool = False
) -> list[StepRow]:
    """Labels of as many solutions, drawn at random, as a share of what is left of the budget pays for.

    A step's label is how many of n completions of the text up to and with it are right; the last step's is whether the
    answer itself is. `whole`: the last step alone, which needs no completions.
    """
    order = Random(answer_seed(bench.seed, "steps")).sample(list(solved), len(solved))
    if not whole:
        price = sum(_price(bench, one, n=n, max_tokens=max_tokens) for one in order) / len(order)
        order = order[: bench.budget.plan(flops_per_step=price / share)] if price else order
    right = verified(bench.task, [one.prompt for one in order], [one.answer for one in order])
    known = [(one, score.value) for one, score in zip(order, right, strict=True) if score.value is not None]
    inner = [()] * len(known) if whole else _completed(bench, [one for one, _ in known], n=n, max_tokens=max_tokens)
    return [_labelled(bench, one, own, value, kind) for (one, value), own in zip(known, inner, strict=True)]


def _labelled(bench: Bench, one: Solution, shares: Sequence[float], right: float, kind: Kind) -> StepRow:
    inner = [float(share > 0) for share in shares] if kind == "hard" else list(shares)
    ends = one.ends if shares else one.ends[-1:]
    return step_row(bench.base.tokenizer, one.row, ends, [*inner, right])


def _prefixes(one: Solution) -> list[Asked]:
    """The text up to each step but the last, as something to go on from."""
    name = f"{one.prompt.id}/{content_hash(list(one.row.answer))}"
    return [
        Asked(Prompt(id=f"{name}/{place}", content=""), one.row.prompt + one.row.answer[: end + 1])
        for place, end in enumerate(one.ends[:-1])
    ]


def _price(bench: Bench, one: Solution, *, n: int, max_tokens: int) -> float:
    module: Any = bench.base
    return sum(rollout_flops(module.module, [asked], n=n, max_tokens=max_tokens) for asked in _prefixes(one))


def _completed(bench: Bench, solved: Sequence[Solution], *, n: int, max_tokens: int) -> list[tuple[float, ...]]:
    """Of each solution's inner steps, the share of completions that are right; one nobody can tell counts as wrong."""
    base: Any = bench.base
    owners = [one for one in solved for _ in one.ends[:-1]]
    asked = [prefix for one in solved for prefix in _prefixes(one)]
    if not asked:
        return [()] * len(solved)
    seed = answer_seed(bench.seed, "completions")
    drawn = rollouts(base.module, base.tokenizer, asked, n=n, max_tokens=max_tokens, seed=seed)
    answers = [_joined(base.tokenizer, at, owner, one) for at, owner, many in zip(asked, owners, drawn, strict=True)
               for one in many]  # fmt: skip
    scores = verified(bench.task, [owner.prompt for owner in owners for _ in range(n)], answers)
    rights = iter(scores)
    shares = iter([sum(next(rights).value or 0.0 for _ in range(n)) / n for _ in asked])
    return [tuple(next(shares) for _ in one.ends[:-1]) for one in solved]


def _joined(tokenizer: Any, asked: Asked, owner: Solution, one: Rollout) -> Answer:
    """What was there and what was added, as one answer."""
    tokens = asked.ids[len(owner.row.prompt) :] + one.row.answer
    return Answer(value=decode(tokenizer, tokens), tokens=tokens, finish=one.answer.finish)
