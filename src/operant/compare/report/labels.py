"""Names beside the points of a plot, placed so that they cover neither each other nor a point, or left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from matplotlib.axes import Axes

from operant.compare.report import digits
from operant.compare.report.canvas import SIZE, STAND_IN, letters
from operant.compare.report.escape import one_line, shorten

LONGEST = 22  # letters of a name
GAP = 8  # pixels from the point
_SHIFTS = (0, 13, -13, 26, -26, 39, -39)


class Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def touches(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )


class Named(NamedTuple):
    """A point of a plot that wants its name beside it."""

    name: str
    x: float
    cell: digits.Cell
    colour: str


def place_labels(ax: Axes, points: Sequence[Named]) -> None:
    """Writes each name at the first free place beside its point, the first point's first.

    One that had to move far gets a thin line. Where there is no free place the name is left out: a table has it too.
    """
    ax.autoscale_view()
    taken = [_filled(ax, point) for point in points]
    for point in points:
        text = shorten(one_line(point.name), LONGEST)
        y = digits.field(point.cell) or 0.0
        place = _free_place(ax, text, tuple(ax.transData.transform((point.x, y))), taken)
        if place is None:
            continue
        offset, box = place
        taken.append(box)
        thin = {"arrowstyle": "-", "color": STAND_IN["muted"], "linewidth": 0.6, "shrinkA": 1, "shrinkB": 4}
        moved = {"arrowprops": thin} if abs(offset[1]) > 15 else {}
        side = "left" if offset[0] > 0 else "right"
        letters(ax, point.x, y, text, offset=offset, colour=point.colour, ha=side, va="center", size=SIZE - 1, **moved)


def _filled(ax: Axes, point: Named) -> Box:
    """What a point's mark and interval cover."""
    mean = digits.field(point.cell) or 0.0
    low, high = (digits.field(point.cell, name) for name in ("low", "high"))
    x, bottom = ax.transData.transform((point.x, mean if low is None else low))
    top = ax.transData.transform((point.x, mean if high is None else high))[1]
    return Box(x - 3, min(bottom, top) - 3, x + 3, max(bottom, top) + 3)


def _free_place(
    ax: Axes, text: str, at: tuple[float, float], taken: Sequence[Box]
) -> tuple[tuple[float, float], Box] | None:
    """Offset from the point and the box it fills: right of the point if it can be, else left, else a little off."""
    width = 0.56 * (SIZE - 1) * len(text)
    frame = ax.figure.bbox
    for shift, side in product(_SHIFTS, (1, -1)):
        near = at[0] + side * GAP
        box = Box(min(near, near + side * width), at[1] + shift - 6, max(near, near + side * width), at[1] + shift + 6)
        inside = ax.bbox.x0 <= box.left and box.right <= frame.x1 and ax.bbox.y0 <= box.bottom and box.top <= frame.y1
        if inside and not any(box.touches(other) for other in taken):
            return (side * GAP, shift), box
    return None
