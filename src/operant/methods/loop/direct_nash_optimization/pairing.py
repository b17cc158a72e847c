"""Which pairs DNO learns from: large margins, a teacher's answers in the pool, a part of earlier rounds again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations
from random import Random
from typing import Literal, NamedTuple

from operant.disk import answer_seed
from operant.rewards.win_rates import Standing
from operant.schema import Answer, Pair, Prompt

Rule = Literal["margin", "restrictive", "teacher"]
GRAM = 4  # words
REPEATED = 0.5  # share of an answer's n-grams that stood in it before, above which it is called defective


class Margins(NamedTuple):
    """What makes a pair, in points from 0 to 6."""

    good: float = 5.0  # a positive has at least so many
    ahead: float = 2.0  # of its negative
    own: float = 1.0  # the same where the positive is the policy's own


class Judged(NamedTuple):
    """A prompt's answers with what a judge said of them."""

    prompt: Prompt
    answers: tuple[Answer, ...]
    standing: Standing
    teacher: int | None  # which of the answers is the teacher's


def repetitive(text: str) -> bool:
    """Whether most of a text was said in it before."""
    words = text.split()
    grams = Counter(tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1))
    total = sum(grams.values())
    return total > 0 and (total - len(grams)) / total > REPEATED


def winners(one: Judged, margins: Margins, rule: Rule) -> list[tuple[int, int]]:
    """(positive, negative) places of every pair that the rule allows; a defective answer is never positive.

    margin: by points, whoever wrote them. restrictive: only the teacher is positive. teacher: the teacher against every
    answer of the policy, whatever the judge says.
    Source: arXiv:2404.03715, alg. 2 and its pair rules; `teacher` is SPIN's, arXiv:2401.01335.
    """
    if rule == "teacher":
        return [(one.teacher, at) for at in range(len(one.answers)) if at != one.teacher and one.teacher is not None]
    bad = [repetitive(str(answer.value)) for answer in one.answers]
    points = [0.0 if wrong else value for wrong, value in zip(bad, one.standing.points, strict=True)]
    found = []
    for won, lost in permutations(range(len(points)), 2):
        least = margins.ahead if won == one.teacher else margins.own
        allowed = not bad[won] and points[won] >= margins.good and points[won] - points[lost] >= least
        if allowed and (rule == "margin" or won == one.teacher):
            found.append((won, lost))
    return found


def chosen_pairs(judged: Sequence[Judged], margins: Margins, rule: Rule) -> list[Pair]:
    """Pairs with sure labels."""
    return [
        Pair(prompt=one.prompt, chosen=one.answers[won], rejected=one.answers[lost])
        for one in judged
        for won, lost in winners(one, margins, rule)
    ]


def regressed_pairs(judged: Sequence[Judged]) -> list[Pair]:
    """Every two answers, with the label sigmoid(r(first) - r(second)) as margin; r is the win rate."""
    return [
        Pair(
            prompt=one.prompt, chosen=one.answers[first], rejected=one.answers[second],
            margin=1 / (1 + math.exp(one.standing.wins[second] - one.standing.wins[first])),
        )
        for one in judged
        for first, second in combinations(range(len(one.answers)), 2)
    ]  # fmt: skip


def replayed(earlier: Sequence[Sequence[Pair]], share: float, *, seed: int) -> list[Pair]:
    """Pairs of earlier rounds: `share` of those of the last, half of that share of the one before, and so on."""
    found: list[Pair] = []
    for back, pairs in enumerate(reversed(earlier)):
        count = int(share / 2**back * len(pairs))
        found += Random(answer_seed(seed, "replay", len(earlier), back)).sample(list(pairs), count)
    return found
