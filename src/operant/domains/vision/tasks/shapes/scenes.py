"""Scenes are drawn at random; one that could be misread is drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from random import Random

from operant.domains.vision.draw import action, draw, found
from operant.domains.vision.scene import ACTIONS, COLOURS, KINDS, SIDE, Box, Pair, Scene, Thing


@dataclass(frozen=True, kw_only=True)
class Layouts:
    """How scenes are drawn, in pixels; all are multiples of `grid`, or a small net of patches would paint nothing."""

    grid: int = 4
    sizes: tuple[int, ...] = (8, 12)  # of a box's sides
    gaps: tuple[int, ...] = (4, 8)
    overlap: int = 4
    two: float = 0.5  # share of scenes with two pairs


def draw_scene(rng: Random, layouts: Layouts) -> Scene:
    """A scene of which every other choice of actions can be read off its picture as well."""
    while True:
        scene = candidate(rng, layouts)
        if all(legible(other) for other in variants(scene)):
            return scene


def variants(scene: Scene) -> list[Scene]:
    """The same boxes, colours and kinds under every choice of actions."""
    choices = [[replace(pair, action=name) for name in ACTIONS["over" if pair.overlap else "apart"]]
               for pair in scene.pairs]  # fmt: skip
    return [Scene(pairs) for pairs in product(*choices)]


def legible(scene: Scene) -> bool:
    """Whether every kind, box and action is read off the picture as it was meant."""
    picture = draw(scene)
    for pair in scene.pairs:
        subject, object_ = (found(picture, thing) for thing in pair.things)
        if action(picture, subject, object_) != pair.action:
            return False
        for one, thing in zip((subject, object_), pair.things, strict=True):
            if one is None or (one.kind, one.box) != (thing.kind, thing.box):
                return False
    return True


def candidate(rng: Random, layouts: Layouts) -> Scene:
    """A scene that may not be legible."""
    colours, across = rng.sample(sorted(COLOURS), 4), rng.random() < 0.5
    halves = [(0, SIDE // 2), (SIDE // 2, SIDE)] if rng.random() < layouts.two else [(0, SIDE)]
    pairs = []
    for place, half in enumerate(halves):
        boxes = _boxes(rng, layouts, half, across=across)
        things = [Thing(colour=colour, kind=rng.choice(KINDS), box=box)
                  for colour, box in zip(colours[2 * place :], boxes, strict=False)]  # fmt: skip
        rng.shuffle(things)
        over = boxes[0][2 if across else 3] > boxes[1][0 if across else 1]
        name = rng.choice(ACTIONS["over" if over else "apart"])
        pairs.append(Pair(subject=things[0], action=name, object=things[1]))
    return Scene(tuple(pairs))


def _boxes(rng: Random, layouts: Layouts, half: tuple[int, int], *, across: bool) -> tuple[Box, Box]:
    """Two boxes one after the other along a direction, apart or over each other, within a strip of the picture."""
    first, second = (rng.choice(layouts.sizes) for _ in range(2))
    step = rng.choice(layouts.gaps) if rng.random() < 0.5 else -layouts.overlap
    start = layouts.grid * rng.randint(0, (SIDE - first - step - second) // layouts.grid)
    spans = ((start, start + first), (start + first + step, start + first + step + second))
    low, high = half
    middle = layouts.grid * rng.randint((low + 6) // layouts.grid, (high - 6) // layouts.grid)
    made = []
    for (begin, end), shift in zip(spans, (0, rng.randint(-1, 1)), strict=True):
        size = rng.choice(layouts.sizes)
        side = middle + layouts.grid * (shift - size // layouts.grid // 2)
        side = min(max(side, low), high - size)
        made.append((begin, side, end, side + size) if across else (side, begin, side + size, end))
    return made[0], made[1]
