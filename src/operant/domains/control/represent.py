"""An episode on disk and on a page, and what is said of a set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from operant.data.represented import Properties
from operant.domains.control.layout import Cell, Layout
from operant.errors import require
from operant.schema import Answer, Finish, Json

PIXELS = 12  # of a cell's side


@dataclass(frozen=True, kw_only=True)
class Episode:
    """Where an agent went."""

    layout: Layout
    path: tuple[Cell, ...]  # the start first, then where every step led

    @property
    def steps(self) -> int:
        return len(self.path) - 1

    @property
    def solved(self) -> bool:
        return self.path[-1] == self.layout.goal


def dump(answer: Answer) -> dict[str, Json]:
    """An answer as JSON: the map, and the path over it."""
    episode = answer.value
    require(isinstance(episode, Episode), "value of an answer", episode, "an Episode")
    said = f"goal after {episode.steps} steps" if episode.solved else f"no goal in {episode.steps} steps"
    return {
        "text": said, "finish": answer.finish, "rows": list(episode.layout.rows), "start": list(episode.layout.start),
        "goal": list(episode.layout.goal), "path": [list(cell) for cell in episode.path],
    }  # fmt: skip


def load(stored: dict[str, Any]) -> Answer:
    """What `dump` gave."""
    finish: Any = stored.get("finish")
    require(finish in get_args(Finish), '"finish" of a stored episode', finish, f"one of {get_args(Finish)}")
    rows = tuple(str(row) for row in stored["rows"])
    layout = Layout(rows=rows, start=_cell(stored["start"]), goal=_cell(stored["goal"]))
    path = tuple(map(_cell, stored["path"]))
    require(path and all(map(layout.free, path)), '"path" of a stored episode', stored["path"], "free cells of the map")
    return Answer(value=Episode(layout=layout, path=path), finish=finish)


def _cell(pair: Sequence[int]) -> Cell:
    return int(pair[0]), int(pair[1])


def show(answer: Answer) -> str:
    """The map as a drawing: cells are darker the oftener they were visited; a ring is the start, a square the goal."""
    episode = answer.value
    side = episode.layout.size * PIXELS
    visits = {cell: episode.path.count(cell) for cell in set(episode.path)}
    most = max(visits.values())
    shapes = [_square(cell, "currentColor", 0.85) for cell in _walls(episode.layout)]
    shapes += [_square(cell, "#2a78b8", 0.2 + 0.7 * count / most) for cell, count in sorted(visits.items())]
    shapes.append(_square(episode.layout.goal, "#c8501e", 1.0 if episode.solved else 0.5))
    row, column = ((place + 0.5) * PIXELS for place in episode.layout.start)
    shapes.append(
        f'<circle cx="{column}" cy="{row}" r="{PIXELS // 3}" fill="none" stroke="currentColor" stroke-width="2"/>'
    )
    said = dump(answer)["text"]
    return (
        f'<svg role="img" aria-label="{said}" viewBox="0 0 {side} {side}" width="{side}" height="{side}">'
        f"{''.join(shapes)}</svg><p>{said}, {len(visits)} cells seen</p>"
    )


def _walls(layout: Layout) -> list[Cell]:
    return [(row, column) for row, line in enumerate(layout.rows) for column, char in enumerate(line) if char == "#"]


def _square(cell: Cell, fill: str, opacity: float) -> str:
    return (
        f'<rect x="{cell[1] * PIXELS}" y="{cell[0] * PIXELS}" width="{PIXELS}" height="{PIXELS}" fill="{fill}" '
        f'fill-opacity="{opacity:.2f}"/>'
    )


def properties(answers: Sequence[Answer]) -> Properties:
    """Length in steps; cells visited over steps, in the mean: 1 where no episode came twice to a cell."""
    episodes = [answer.value for answer in answers]
    fresh = [len(set(one.path)) / len(one.path) for one in episodes]
    return Properties(
        length=tuple(float(one.steps) for one in episodes),
        diversity={"fresh_cells": sum(fresh) / len(fresh) if fresh else None},
    )
