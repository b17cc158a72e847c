"""How good a filter is: enough different right answers, and few wrong ones among what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from operant.disk import answer_seed
from operant.schema import Answer, Prompt


class Scored(NamedTuple):
    """An answer to a prompt, what it is worth, and whether it is right."""

    answer: Answer
    reward: float
    right: bool
    given: bool = False  # a solution that came with the prompt, not an answer


class Pool(NamedTuple):
    """The answers to one prompt, best first; equals in random order."""

    prompt: Prompt
    answers: tuple[Scored, ...]


class Setting(NamedTuple):
    """What is found best by the balance score."""

    threshold: float
    score: float


def pool(prompt: Prompt, answers: Sequence[Scored], *, seed: int) -> Pool:
    mixed = Random(answer_seed(seed, "ties", prompt.id)).sample(list(answers), len(answers))
    return Pool(prompt, tuple(sorted(mixed, key=lambda one: -one.reward)))


def query_balance(selected: int, right: int, *, n_star: float) -> float:
    """min(right / n*, 1) * right / selected; 0 where nothing is selected.

    Args: counts of different answers that a filter keeps of one prompt, and of the right ones among them.
    Source: Zeng et al. 2024, B-STaR, arXiv:2412.17256, balance score.
    """
    return min(right / n_star, 1.0) * right / selected if selected else 0.0


def balance(selected: Sequence[Sequence[Scored]], *, n_star: float) -> float:
    """Mean of the prompts' balance scores; the same text twice counts once."""
    scores = []
    for many in selected:
        different = {str(one.answer.value): one.right for one in many}
        scores.append(query_balance(len(different), sum(different.values()), n_star=n_star))
    return sum(scores) / len(scores)


def select(pools: Sequence[Pool], *, threshold: float, target: float, most: int) -> list[list[Scored]]:
    """Of each prompt the m best above the threshold, each text once; m as small as reaches `target` answers in all.

    m is at most `most`; where that does not reach the target, it is what there is. Nothing is cut down to the target.
    """
    _, counts, _ = _counted(pools)
    above = _above(pools, threshold)
    kept = next((m for m in range(1, most) if _at(counts, np.minimum(m, above)).sum() >= target), most)
    found = []
    for one, count in zip(pools, np.minimum(kept, above), strict=True):
        different: dict[str, Scored] = {}
        for own in one.answers[:count]:
            different.setdefault(str(own.answer.value), own)
        found.append(list(different.values()))
    return found


def best_threshold(
    pools: Sequence[Pool], thresholds: Sequence[float], *, n_star: float, most: int
) -> Setting:  # fmt: skip
    """The threshold whose selection has the best balance, the lowest of equals; its target is n* for each prompt."""
    sizes, counts, rights = _counted(pools)
    target, found = n_star * len(pools), []
    for threshold in thresholds:
        above = _above(pools, threshold)
        reached = (m for m in range(1, most) if _at(counts, np.minimum(m, above)).sum() >= target)
        kept = np.minimum(next(reached, most), above)
        selected, right = _at(counts, kept), _at(rights, kept)
        share = np.divide(right, selected, out=np.zeros(len(sizes)), where=selected > 0)
        found.append(float((np.minimum(right / n_star, 1.0) * share).mean()))
    return Setting(thresholds[found.index(max(found))], max(found))


def _counted(pools: Sequence[Pool]) -> tuple[list[int], list[np.ndarray], list[np.ndarray]]:
    """Of each prompt: its answers, and how many different, and different right, are among the first 0, 1, 2, ..."""
    counts, rights = [], []
    for one in pools:
        seen: set[str] = set()
        different, right = [0], [0]
        for own in one.answers:
            new = str(own.answer.value) not in seen
            seen.add(str(own.answer.value))
            different.append(different[-1] + new)
            right.append(right[-1] + (new and own.right))
        counts.append(np.array(different))
        rights.append(np.array(right))
    return [len(one.answers) for one in pools], counts, rights


def _above(pools: Sequence[Pool], threshold: float) -> np.ndarray:
    """[prompts] answers whose reward is above it, strictly."""
    return np.array([sum(own.reward > threshold for own in one.answers) for one in pools])


def _at(counts: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    return np.array([own[place] for own, place in zip(counts, places, strict=True)])
