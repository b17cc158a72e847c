"""The tree that an answer was searched in: what is kept of it, on disk and on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from operant.schema import Json

WIDE, HIGH, LABEL = 190, 18, 30  # pixels of a level and of a leaf; characters of a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A place in a search: what was added here, what it was held to be worth, and what follows."""

    text: str
    value: float
    visits: int
    chosen: bool  # on the way to the answer
    left_out: int = 0  # places below that are not kept
    following: tuple[Tree, ...] = ()

    def __iter__(self) -> Iterator[Tree]:
        yield self
        for one in self.following:
            yield from one


def dump_tree(tree: Tree) -> dict[str, Json]:
    return {
        "text": tree.text, "value": round(tree.value, 4), "visits": tree.visits, "chosen": tree.chosen,
        "left_out": tree.left_out, "following": [dump_tree(one) for one in tree.following],
    }  # fmt: skip


def load_tree(stored: dict[str, Any]) -> Tree:
    """What `dump_tree` gave."""
    following = tuple(load_tree(one) for one in stored["following"])
    return Tree(
        text=str(stored["text"]), value=float(stored["value"]), visits=int(stored["visits"]),
        chosen=bool(stored["chosen"]), left_out=int(stored["left_out"]), following=following,
    )  # fmt: skip


def show_tree(tree: Tree, safe: Callable[[str], str]) -> str:
    """A drawing: a dot is larger the oftener it was visited and darker the more it was worth; the answer's way is bold.

    Args: safe: makes a text one that shows nothing but itself.
    """
    shapes: list[str] = []
    leaves = _placed(tree, 0, 0, shapes, safe)[1]
    depth = max(_depths(tree))
    wide, high = (depth + 1) * WIDE, leaves * HIGH
    kept, gone = len(list(tree)), sum(one.left_out for one in tree)
    said = f"search tree: {kept} places" + (f", {gone} more not drawn" if gone else "")
    return (
        f'<details><summary>{said}</summary><div style="overflow-x:auto"><svg role="img" aria-label="{said}" '
        f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">{"".join(shapes)}</svg></div></details>'
    )


def _depths(tree: Tree) -> list[int]:
    return [0, *(1 + depth for one in tree.following for depth in _depths(one))]


def _placed(tree: Tree, level: int, row: int, shapes: list[str], safe: Callable[[str], str]) -> tuple[float, int]:
    """Draws a tree whose first leaf stands in `row`: the height of its dot, and the first row below it."""
    across, below, heights = level * WIDE + 8, row, list[float]()
    for one in tree.following:
        height, below = _placed(one, level + 1, below, shapes, safe)
        heights.append(height)
    own = (heights[0] + heights[-1]) / 2 if heights else (row + 0.5) * HIGH
    shapes += [_line(across, own, height, chosen=one.chosen)
               for one, height in zip(tree.following, heights, strict=True)]  # fmt: skip
    size, dark = 3 + min(4.0, tree.visits**0.5), 0.15 + 0.85 * min(1.0, max(0.0, tree.value))
    label = tree.text if len(tree.text) <= LABEL else f"{tree.text[: LABEL - 1]}…"
    told = safe(f"{tree.text} (value {tree.value:.2f}, {tree.visits} visits)")
    weight = ' font-weight="bold"' if tree.chosen else ""
    shapes.append(
        f'<g><title>{told}</title><circle cx="{across}" cy="{own:.0f}" r="{size:.1f}" fill="#2a78b8" '
        f'fill-opacity="{dark:.2f}" stroke="currentColor"/><text x="{across + 10}" y="{own + 4:.0f}" font-size="10" '
        f'fill="currentColor"{weight}>{safe(label)}</text></g>'
    )
    return own, max(below, row + 1)


def _line(across: int, own: float, height: float, *, chosen: bool) -> str:
    return (
        f'<path d="M{across} {own:.0f}L{across + WIDE} {height:.0f}" stroke="currentColor" fill="none" '
        f'stroke-opacity="{0.9 if chosen else 0.25}"/>'
    )
