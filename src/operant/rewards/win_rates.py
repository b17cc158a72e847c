"""Several answers to one prompt, judged among themselves: how often each of them wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

from operant.disk import content_hash
from operant.rewards.model import win_probability
from operant.schema import Answer, Prompt, Scorer

MOST = 6.0  # points, of a judge who grades; a judge who compares gives this much for winning always


class Standing(NamedTuple):
    """The answers to one prompt, in their order."""

    points: tuple[float, ...]  # 0 to 6
    wins: tuple[float, ...]  # 0 to 1, against each of the others in turn; never against itself


Compare = Callable[[Sequence[Prompt], Sequence[Answer], Sequence[Answer]], Sequence[float | None]]
Grade = Callable[[Sequence[Prompt], Sequence[Sequence[Answer]]], Sequence[Sequence[float] | None]]
GroupJudge = Callable[[Sequence[Prompt], Sequence[Sequence[Answer]]], list["Standing | None"]]


def win_rates(points: Sequence[float]) -> tuple[float, ...]:
    """Share of the others with fewer points; one with as many counts half.

    Source: Rosset et al. 2024, arXiv:2404.03715, alg. 2; ties are our own.
    """
    return tuple(
        sum(float(own > other) + 0.5 * (own == other) for at, other in enumerate(points) if at != place)
        / (len(points) - 1)
        for place, own in enumerate(points)
    )


def by_grading(grade: Grade) -> GroupJudge:
    """A judge who gives points; nothing is said of a prompt of which one answer got none."""

    def judge(prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> list[Standing | None]:
        found = grade(prompts, answers)
        return [None if points is None else Standing(tuple(points), win_rates(points)) for points in found]

    return judge


def by_comparing(compare: Compare) -> GroupJudge:
    """A judge who compares two: every pair of answers is asked for once, the sides by a hash, and equal texts never.

    Points are the share of wins, on the scale of a judge who grades, in whole numbers.
    """

    def judge(prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> list[Standing | None]:
        asked = [
            (group, *(two if _first(prompts[group], answers[group], two) else two[::-1]))
            for group, many in enumerate(answers)
            for two in combinations(range(len(many)), 2)
            if str(many[two[0]].value) != str(many[two[1]].value)
        ]
        verdicts = compare(
            [prompts[group] for group, _, _ in asked],
            [answers[group][left] for group, left, _ in asked],
            [answers[group][right] for group, _, right in asked],
        )
        tables: list[dict[tuple[int, int], float | None]] = [{} for _ in answers]
        for (group, left, right), win in zip(asked, verdicts, strict=True):
            tables[group] |= {(left, right): win, (right, left): None if win is None else 1 - win}
        return [_standing(len(many), table) for many, table in zip(answers, tables, strict=True)]

    return judge


def by_scoring(scorer: Scorer) -> GroupJudge:
    """A reward on the logit scale as a judge who compares: P(one beats another) = sigmoid of the difference.

    Every answer is scored once.
    """

    def judge(prompts: Sequence[Prompt], answers: Sequence[Sequence[Answer]]) -> list[Standing | None]:
        asked = [prompt for prompt, many in zip(prompts, answers, strict=True) for _ in many]
        scores = iter(scorer.score(asked, [one for many in answers for one in many]))
        found = []
        for many in answers:
            values = [next(scores).value for _ in many]
            places = permutations(range(len(many)), 2)
            found.append(_standing(len(many), {two: win_probability(*(values[at] for at in two)) for two in places}))
        return found

    return judge


def _first(prompt: Prompt, answers: Sequence[Answer], two: tuple[int, int]) -> bool:
    """Whether the earlier of two answers is shown on the left: a judge of sides is then right half of the time."""
    name = [prompt.id, *(str(answers[place].value) for place in two)]
    return int(content_hash(name), 16) % 2 == 0


def _standing(count: int, table: dict[tuple[int, int], float | None]) -> Standing | None:
    if None in table.values():
        return None
    known = {two: win for two, win in table.items() if win is not None}
    wins = tuple(
        sum(known.get((place, other), 0.5) for other in range(count) if other != place) / (count - 1)
        for place in range(count)
    )
    return Standing(tuple(float(int(MOST * win + 0.5)) for win in wins), wins)
