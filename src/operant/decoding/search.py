"""One search over trees: what to look at next, what follows it, what that is worth, and who is told.

Select, expand, evaluate and back up are functions. Beam search, best-first search and Monte Carlo tree search differ in
nothing else. Several trees grow together, so that models read what all of them want in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from operant.errors import require
from operant.meter import spent

Item = TypeVar("Item")


@dataclass(eq=False)
class Node(Generic[Item]):
    """A place in a tree. `item` is what stands there: a text so far, a formula, a state."""

    item: Item
    parent: Node[Item] | None = None
    children: list[Node[Item]] = field(default_factory=list)
    value: float = 0.0  # what it is worth; higher is better
    visits: int = 0
    ended: bool = False  # nothing can follow
    pruned: bool = False  # not looked at again

    def leaves(self) -> Iterator[Node[Item]]:
        """Everything below that has no children and is not pruned, the node itself where it has none."""
        if not self.children and not self.pruned:
            yield self
        for child in self.children:
            yield from child.leaves()

    def path(self) -> list[Node[Item]]:
        """From the root to here."""
        before = [] if self.parent is None else self.parent.path()
        return [*before, self]


Nodes = Sequence[Node[Item]]
Select = Callable[[Nodes[Item]], Nodes[Item]]  # roots -> what to expand; nothing ends the search
Expand = Callable[[Nodes[Item]], Sequence[Sequence[tuple[Item, bool]]]]  # for each node: what follows, and if it ends
Evaluate = Callable[[Nodes[Item]], Sequence[float]]  # new nodes -> values
Backup = Callable[[Node[Item]], None]  # an expanded node tells those above


def search(
    roots: Nodes[Item], *, select: Select[Item], expand: Expand[Item], evaluate: Evaluate[Item],
    backup: Backup[Item] = lambda _: None, go_on: Callable[[], bool] = lambda: True,
) -> None:  # fmt: skip
    """Grow the trees below `roots` until there is nothing to expand, or `go_on` says no."""
    while go_on():
        chosen = select(roots)
        if not chosen:
            return
        for node, following in zip(chosen, expand(chosen), strict=True):
            node.children = [Node(item, node, ended=ended) for item, ended in following]
        fresh = [child for node in chosen for child in node.children]
        for child, value in zip(fresh, evaluate(fresh) if fresh else (), strict=True):
            child.value = value
        for node in chosen:
            backup(node)


def best(root: Node[Item]) -> Node[Item]:
    """The leaf of most value: of those that ended, where any has."""
    leaves = list(root.leaves())
    return max([one for one in leaves if one.ended] or leaves, key=lambda node: node.value)


def within(**most: float) -> Callable[[], bool]:
    """Go on until one of these counts of the meter is spent, from now on: `within(sampled_tokens=4096)`."""
    before = spent()

    def go_on() -> bool:
        used = spent().minus(before)
        return all(getattr(used, name) < count for name, count in most.items())

    return go_on


# What to look at next


def beam(width: int) -> Select[Item]:
    """Of each tree the `width` leaves of most value; the others are pruned. What has ended keeps its place."""
    require(width >= 1, "width", width, "at least 1")

    def select(roots: Nodes[Item]) -> Nodes[Item]:
        found: list[Node[Item]] = []
        for root in roots:
            ranked = sorted(root.leaves(), key=lambda node: -node.value)
            for node in ranked[width:]:
                node.pruned = True
            found += [node for node in ranked[:width] if not node.ended]
        return found

    return select


def best_first(roots: Nodes[Item]) -> Nodes[Item]:
    """Of each tree the leaf of most value, until that leaf has ended: A*, where values never underrate what follows."""
    tops = [max(leaves, key=lambda node: node.value) for root in roots if (leaves := list(root.leaves()))]
    return [node for node in tops if not node.ended]


def upper_confidence(weight: float, *, unseen: float = math.inf) -> Select[Item]:
    """Down each tree by value + weight sqrt(2 ln N(parent) / N(child)); a child without visits counts `unseen` more.

    A leaf that has ended is visited again, and expands into nothing.
    Source: Kocsis and Szepesvari 2006, UCT; ReST-MCTS*, arXiv:2406.03816, its search.
    """
    require(weight >= 0, "weight", weight, "at least 0")

    def score(node: Node[Item], above: int) -> float:
        if not node.visits:
            return node.value + unseen
        return node.value + weight * math.sqrt(2 * math.log(max(above, 1)) / node.visits)

    def descend(node: Node[Item]) -> Node[Item]:
        while node.children:
            above = node.visits
            node = max(node.children, key=lambda child: score(child, above))
        return node

    return lambda roots: [descend(root) for root in roots]


# Who is told


def mean_backup(node: Node[Item]) -> None:
    """One visit more, from here up; what has children is worth their mean, weighted by visits."""
    for one in reversed(node.path()):
        one.visits += 1
        seen = sum(child.visits for child in one.children)
        if seen:
            one.value = sum(child.visits * child.value for child in one.children) / seen


def max_backup(node: Node[Item]) -> None:
    """One visit more, from here up; what has children is worth the best of them."""
    for one in reversed(node.path()):
        one.visits += 1
        if one.children:
            one.value = max(child.value for child in one.children)
