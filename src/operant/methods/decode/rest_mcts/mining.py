"""What a finished tree teaches: how far each of its texts is on its way, and which of its ways lead to the answer."""

from __future__ import annotations

from collections.abc import Callable

from operant.decoding.step_search import Place


def quality(before: float, *, distance: int, wrong: bool) -> float:
    """max(0, v + w), w = (1 - v) / (m + 1) * (1 - 2 r): the value of a text from that of the text a step shorter.

    Args:
        before: v, of the text without its last step; 0 for none.
        distance: m, steps that are still needed at least; of a wrong step that of the nearest text before it from
            which the answer can be reached, less one, so that m + 1 is that text's own count.
        wrong: r, whether the step is.
    Returns: 0 to 1; 1 for a right answer that is whole.
    Source: Zhang et al. 2024, arXiv:2406.03816, the quality value.
    """
    return max(0.0, before + (1 - before) / (distance + 1) * (-1 if wrong else 1))


def gold_targets(steps: int) -> list[float]:
    """k / K for each prefix of a right solution of K steps."""
    return [k / steps for k in range(1, steps + 1)]


def wrong_target(place: int, steps: int) -> float:
    """max(0, (k - 2) / K) for the right text before step k of K with a wrong step k."""
    return max(0.0, (place - 2) / steps)


def ends(root: Place, *, gate: float) -> list[Place]:
    """Leaves that ended, or look solved."""
    return [leaf for leaf in root.leaves() if leaf is not root and (leaf.ended or leaf.value >= gate)]


def mined(root: Place, right: Callable[[Place], bool], *, gate: float) -> list[tuple[Place, float]]:
    """(text, value) of everything on a way to an end; nothing where no end is right.

    A right end needs 1 step, itself; what is above it one more than the nearest below. Beside those ways a step is
    wrong, and counts as many as the last text from which the answer could still be reached.
    """
    leaves = ends(root, gate=gate)
    counts: dict[int, int] = {}
    for leaf in leaves:
        if right(leaf):
            for needed, node in enumerate(reversed(leaf.path()), 1):
                counts[id(node)] = min(needed, counts.get(id(node), needed))
    if not counts:
        return []
    values = {id(root): 0.0}
    found: dict[int, tuple[Place, float]] = {}
    for leaf in leaves:
        count = counts[id(root)]
        for parent, node in zip(leaf.path(), leaf.path()[1:], strict=False):
            wrong = id(node) not in counts
            count = count if wrong else counts[id(node)]
            values[id(node)] = quality(values[id(parent)], distance=count - 1, wrong=wrong)
            found[id(node)] = node, values[id(node)]
    return list(found.values())


def traces(root: Place, right: Callable[[Place], bool], *, gate: float, every: bool) -> list[Place]:
    """Right ends of a tree: all of them, or the one of most value."""
    good = [leaf for leaf in ends(root, gate=gate) if right(leaf)]
    return good if every or not good else [max(good, key=lambda leaf: leaf.value)]
