"""Scenes: coloured shapes in boxes, in pairs of which one does something to the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from operant.errors import require

SIDE = 32  # pixels of a picture
KINDS = ("square", "disc", "triangle")
COLOURS = {
    "red": (220, 40, 40), "green": (40, 190, 60), "blue": (50, 80, 230), "yellow": (230, 210, 40),
    "magenta": (210, 50, 210), "cyan": (40, 200, 210),
}  # fmt: skip
GROUND, MARK = (16, 16, 16), (250, 250, 250)  # what is behind all shapes, and what actions are drawn with
ACTIONS = {
    "apart": ("links to", "points at", "ignores"),  # a bar between, a bar from the subject to the middle, none
    "over": ("covers", "hides behind", "joins"),  # subject in front, object in front, the overlap is white
}
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside


def within(one: Box, other: Box) -> Box:
    """The overlap of two boxes; where they do not meet, its sides are turned round."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def iou(one: Box, other: Box) -> float:
    """Overlap over union, 0 to 1."""
    both = area(within(one, other))
    return both / (area(one) + area(other) - both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One shape."""

    colour: str
    kind: str
    box: Box

    def __post_init__(self) -> None:
        require(self.colour in COLOURS, "colour", self.colour, f"one of {', '.join(COLOURS)}")
        require(self.kind in KINDS, "kind", self.kind, f"one of {', '.join(KINDS)}")
        left, top, right, bottom = self.box
        inside = 0 <= left < right <= SIDE and 0 <= top < bottom <= SIDE
        require(inside, "box", self.box, f"left < right and top < bottom within {SIDE} pixels")

    @property
    def phrase(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Who does what to whom."""

    subject: Thing
    action: str
    object: Thing

    def __post_init__(self) -> None:
        names = ACTIONS["over" if self.overlap else "apart"]
        require(self.action in names, "action", self.action, f"one of {', '.join(names)} for boxes that lie so")

    @property
    def overlap(self) -> bool:
        return area(within(self.subject.box, self.object.box)) > 0

    @property
    def things(self) -> tuple[Thing, Thing]:
        return self.subject, self.object


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shall show; no colour twice."""

    pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        colours = [thing.colour for thing in self.things]
        require(len(set(colours)) == len(colours), "colours of a scene", colours, "different ones")

    @property
    def things(self) -> tuple[Thing, ...]:
        return tuple(chain.from_iterable(pair.things for pair in self.pairs))

    @property
    def caption(self) -> str:
        return " , ".join(f"{one.subject.phrase} {one.action} {one.object.phrase}" for one in self.pairs)

    def __str__(self) -> str:
        places = "; ".join(f"{one.phrase} in {one.box}" for one in self.things)
        return f"{self.caption} ({places})"
