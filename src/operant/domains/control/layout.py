"""Rooms behind doors: where walls, start and goal of one episode are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from operant.errors import require

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right
Cell = tuple[int, int]  # row, column


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One grid. Everything outside the rows is wall."""

    rows: tuple[str, ...]  # "#" is wall, "." is floor
    start: Cell
    goal: Cell

    def __str__(self) -> str:
        """A line a row: S where the agent starts, G the goal."""
        marks = {self.start: "S", self.goal: "G"}
        return "\n".join(
            "".join(marks.get((row, column), char) for column, char in enumerate(line))
            for row, line in enumerate(self.rows)
        )

    @property
    def size(self) -> int:
        return len(self.rows)

    def free(self, cell: Cell) -> bool:
        row, column = cell
        return 0 <= row < self.size and 0 <= column < self.size and self.rows[row][column] == "."

    def distances(self) -> dict[Cell, int]:
        """Moves from every cell to the goal; cells that cannot reach it are left out."""
        found, waiting = {self.goal: 0}, deque([self.goal])
        while waiting:
            row, column = waiting.popleft()
            for down, right in MOVES:
                near = (row + down, column + right)
                if self.free(near) and near not in found:
                    found[near] = found[row, column] + 1
                    waiting.append(near)
        return found


def rooms(rng: Random, *, across: int, side: int, extra_doors: float) -> tuple[str, ...]:
    """across x across square rooms: a spanning tree of doors, so that all are joined, and some doors more.

    Args:
        side: free cells along a room's wall.
        extra_doors: probability of a door in each wall that the tree leaves closed; 0 is a maze, 1 opens all.
    """
    require(across >= 2, "across", across, "at least 2 rooms")
    require(side >= 1, "side", side, "at least 1 cell")
    step = side + 1
    size = across * step - 1
    floor = [["#" if (row + 1) % step == 0 or (column + 1) % step == 0 else "." for column in range(size)]
             for row in range(size)]  # fmt: skip
    walls = [(room, other) for room in _rooms(across) for other in ((room[0] + 1, room[1]), (room[0], room[1] + 1))
             if max(other) < across]  # fmt: skip
    rng.shuffle(walls)
    group = {room: room for room in _rooms(across)}
    for one, two in walls:
        joined = _root(group, one) == _root(group, two)
        place, open_ = rng.randrange(side), rng.random() < extra_doors
        if not joined or open_:
            group[_root(group, one)] = _root(group, two)
            row, column = (one[0] * step + (side if two[0] > one[0] else place),
                           one[1] * step + (place if two[0] > one[0] else side))  # fmt: skip
            floor[row][column] = "."
    return tuple("".join(line) for line in floor)


def _rooms(across: int) -> Iterator[Cell]:
    return ((row, column) for row in range(across) for column in range(across))


def _root(group: dict[Cell, Cell], room: Cell) -> Cell:
    while group[room] != room:
        room = group[room]
    return room


def cell_in(rng: Random, room: Cell, *, side: int) -> Cell:
    """A free cell of a room."""
    return room[0] * (side + 1) + rng.randrange(side), room[1] * (side + 1) + rng.randrange(side)
