"""What a report keeps of a search: the places that were visited most, and the way to the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from operant.data.trees import Tree
from operant.decoding.search import Node

Item = TypeVar("Item")
Told = Callable[[Node[Item]], tuple[str, bool]]  # what was added at a place, and whether the answer begins with it


def kept_tree(root: Node[Item], told: Told[Item], *, most: int) -> Tree:
    """At most `most` places, the answer's first and then those of most visits; a place comes with all above it."""
    ranked = sorted(_all(root), key=lambda node: (not told(node)[1], -node.visits))  # stable: above comes before below
    return _tree(root, told, {id(root)} | {id(node) for node in ranked[:most]})


def _all(root: Node[Item]) -> Iterator[Node[Item]]:
    yield root
    for child in root.children:
        yield from _all(child)


def _tree(node: Node[Item], told: Told[Item], kept: set[int]) -> Tree:
    text, chosen = told(node)
    shown = [child for child in node.children if id(child) in kept]
    gone = [child for child in node.children if id(child) not in kept]
    return Tree(
        text=text, value=node.value, visits=node.visits, chosen=chosen,
        left_out=sum(1 for child in gone for _ in _all(child)),
        following=tuple(_tree(child, told, kept) for child in shown),
    )  # fmt: skip
