"""Scenes as pictures, and what a picture shows, read without any model: the exact ground truth of the subject."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from operant.domains.vision.scene import COLOURS, GROUND, KINDS, MARK, SIDE, Box, Pair, Scene, Thing, area, within

Pixels = NDArray[np.uint8]  # [SIDE, SIDE, 3]
Mask = NDArray[np.bool_]

BAR = 2  # pixels across
SEEN = 0.3  # of a shape that must show for it to be there
FRONT = 0.08  # more of the shape in front shows, by this share at least
WHITE = 0.25  # of an overlap that is white where shapes join
NEAR = 110.0  # distance in RGB within which a pixel has a colour


@lru_cache(maxsize=256)
def stencil(kind: str, wide: int, high: int) -> Mask:
    """[high, wide]: where a shape fills its box."""
    down, right = np.meshgrid((np.arange(high) + 0.5) / high, (np.arange(wide) + 0.5) / wide, indexing="ij")
    if kind == "square":
        return np.ones((high, wide), dtype=bool)
    if kind == "disc":
        return np.asarray((down - 0.5) ** 2 + (right - 0.5) ** 2 <= 0.25)
    return np.asarray(np.abs(right - 0.5) <= down / 2)


def draw(scene: Scene) -> Pixels:
    picture = np.full((SIDE, SIDE, 3), GROUND, dtype=np.uint8)
    for pair in scene.pairs:
        _draw_pair(picture, pair)
    return picture


def _draw_pair(picture: Pixels, pair: Pair) -> None:
    order = pair.things if pair.action == "hides behind" else pair.things[::-1]
    fills = [_fill(picture, thing) for thing in order]
    if pair.action == "joins":
        picture[fills[0] & fills[1]] = MARK
    if pair.action in ("links to", "points at"):
        along = between(pair.subject.box, pair.object.box)
        picture[along.bar(0.5 if pair.action == "points at" else 1.0)] = MARK


def _fill(picture: Pixels, thing: Thing) -> Mask:
    left, top, right, bottom = thing.box
    filled = np.zeros((SIDE, SIDE), dtype=bool)
    filled[top:bottom, left:right] = stencil(thing.kind, right - left, bottom - top)
    picture[filled] = COLOURS[thing.colour]
    return filled


class Between(NamedTuple):
    """The gap between two boxes, from the first to the second."""

    box: Box
    across: bool  # whether it lies left and right, rather than above and below
    back: bool  # whether the first box is the right or the lower one

    @property
    def length(self) -> int:
        return self.box[2] - self.box[0] if self.across else self.box[3] - self.box[1]

    def bar(self, share: float) -> Mask:
        """A bar from the first box over a share of the gap."""
        left, top, right, bottom = self.box
        middle = (top + bottom) // 2 if self.across else (left + right) // 2
        steps = round(self.length * share)
        start = left if self.across else top
        start += self.length - steps if self.back else 0
        drawn = np.zeros((SIDE, SIDE), dtype=bool)
        rows, cols = slice(middle - BAR // 2, middle + BAR - BAR // 2), slice(start, start + steps)
        drawn[(rows, cols) if self.across else (cols, rows)] = True
        return drawn

    def crossed(self, white: Mask) -> NDArray[np.bool_]:
        """Of each step from the first box to the second: whether something white is there."""
        left, top, right, bottom = self.box
        steps = np.asarray(white[top:bottom, left:right].any(axis=0 if self.across else 1))
        return steps[::-1] if self.back else steps


def between(one: Box, other: Box) -> Between:
    """The region between two boxes: in each direction the middle two of their four coordinates."""
    xs, ys = sorted((one[0], one[2], other[0], other[2])), sorted((one[1], one[3], other[1], other[3]))
    across = max(one[0], other[0]) - min(one[2], other[2]) >= max(one[1], other[1]) - min(one[3], other[3])
    return Between((xs[1], ys[1], xs[2], ys[2]), across, one[0] > other[0] if across else one[1] > other[1])


class Found(NamedTuple):
    """A shape of one colour and size in a picture."""

    kind: str
    box: Box
    shown: float  # share of the shape that is not hidden


def found(picture: Pixels, thing: Thing) -> Found | None:
    """The shape of a thing's colour and size, wherever and whatever it is; None where nothing has the colour."""
    mask = coloured(picture, COLOURS[thing.colour])
    wide, high = thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]
    if mask.sum() < wide * high * SEEN / 2:
        return None
    windows = sliding_window_view(mask, (high, wide))
    best, score = None, -1.0
    for kind in KINDS:
        shape = stencil(kind, wide, high)
        both = np.einsum("yxhw,hw->yx", windows, shape, dtype=np.int64)
        matched = both / (mask.sum() + shape.sum() - both)
        top, left = (int(at) for at in np.unravel_index(matched.argmax(), matched.shape))
        if matched[top, left] > score:
            score = float(matched[top, left])
            best = Found(kind, (left, top, left + wide, top + high), float(both[top, left] / shape.sum()))
    return best


def coloured(picture: Pixels, colour: tuple[int, int, int]) -> Mask:
    """Pixels that are nearer to this colour than to any other, and near enough."""
    palette = np.array([colour, *(one for one in (*COLOURS.values(), GROUND, MARK) if one != colour)])
    far = np.linalg.norm(picture[:, :, None].astype(float) - palette, axis=-1)
    return np.asarray((far.argmin(-1) == 0) & (far[:, :, 0] < NEAR))


def action(picture: Pixels, subject: Found | None, object_: Found | None) -> str:
    """What the first shape does to the second; "" where one is missing, or where it is nothing that has a name."""
    if subject is None or object_ is None or min(subject.shown, object_.shown) < SEEN:
        return ""
    white = coloured(picture, MARK)
    shared = within(subject.box, object_.box)
    return _over(white, shared, subject, object_) if area(shared) else _apart(white, subject, object_)


def _over(white: Mask, shared: Box, subject: Found, object_: Found) -> str:
    left, top, right, bottom = shared
    if white[top:bottom, left:right].mean() >= WHITE:
        return "joins"
    if abs(subject.shown - object_.shown) < FRONT:
        return ""
    return "covers" if subject.shown > object_.shown else "hides behind"


def _apart(white: Mask, subject: Found, object_: Found) -> str:
    gap = between(subject.box, object_.box)
    steps = gap.crossed(white)
    if len(steps) < 2:
        return ""
    half = len(steps) // 2
    near, far = steps[:half].mean() > 0.5, steps[len(steps) - half :].mean() > 0.5
    return {(True, True): "links to", (True, False): "points at", (False, False): "ignores"}.get((near, far), "")
