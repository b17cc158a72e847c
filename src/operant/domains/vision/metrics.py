"""Whether a picture shows what was asked for, by exact reading; a picture of the scene itself gets 1 throughout."""

from __future__ import annotations

from operant.domains.vision.draw import Found, Pixels, action, found
from operant.domains.vision.scene import Scene, Thing, iou
from operant.schema import Metric

METRICS = (
    Metric(name="relation", what="share of pairs in which the subject does to the object what was asked, anywhere"),
    Metric(name="box_iou", what="overlap over union of each shape with the box that was asked for, 0 where it lacks"),
    Metric(name="attributes", what="share of shapes of the right colour and kind, anywhere"),
)


def measured(picture: Pixels, scene: Scene) -> dict[str, float]:
    """Every metric of one picture."""
    seen = {thing.colour: found(picture, thing) for thing in scene.things}
    relations = []
    for pair in scene.pairs:
        subject, object_ = (seen[thing.colour] for thing in pair.things)
        relations.append(action(picture, subject, object_) == pair.action)
    things = scene.things
    return {
        "relation": sum(relations) / len(relations),
        "box_iou": sum(_placed(seen[thing.colour], thing) for thing in things) / len(things),
        "attributes": sum(_right(seen[thing.colour], thing) for thing in things) / len(things),
    }


def _placed(one: Found | None, thing: Thing) -> float:
    return 0.0 if one is None else iou(one.box, thing.box)


def _right(one: Found | None, thing: Thing) -> bool:
    return one is not None and one.kind == thing.kind
