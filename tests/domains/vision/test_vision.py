"""Scenes, their pictures and their exact reading; pictures on disk and on a page."""

import json
from itertools import product
from random import Random

import numpy as np
import pytest
import torch

from operant.domains.vision.draw import BAR, action, between, coloured, draw, found, stencil
from operant.domains.vision.metrics import measured
from operant.domains.vision.paint import clean, pictures
from operant.domains.vision.represent import Picture, dump, load, properties, show
from operant.domains.vision.scene import ACTIONS, COLOURS, GROUND, MARK, Pair, Scene, Thing, iou, within
from operant.domains.vision.tasks.shapes.scenes import Layouts, draw_scene, legible, variants
from operant.domains.vision.tasks.shapes.task import Knobs, Shapes
from operant.domains.vision.words import LONGEST, captions, embedded, table
from operant.errors import OperantError
from operant.schema import Answer

LEFT, RIGHT = (2, 3, 12, 13), (18, 5, 26, 13)


def pair(name="points at", one=LEFT, other=RIGHT, kinds=("square", "disc")):
    subject = Thing(colour="red", kind=kinds[0], box=one)
    return Pair(subject=subject, action=name, object=Thing(colour="blue", kind=kinds[1], box=other))


def test_boxes_by_hand():
    assert within((0, 0, 4, 4), (2, 1, 6, 3)) == (2, 1, 4, 3)
    assert iou((0, 0, 4, 4), (2, 0, 6, 4)) == 8 / (16 + 16 - 8)
    assert iou(LEFT, RIGHT) == 0


@pytest.mark.parametrize(
    "one, other, box, across, back",
    [
        (LEFT, RIGHT, (12, 5, 18, 13), True, False),
        (RIGHT, LEFT, (12, 5, 18, 13), True, True),
        ((3, 2, 13, 12), (5, 18, 13, 26), (5, 12, 13, 18), False, False),
    ],
)
def test_the_gap_between_two_boxes(one, other, box, across, back):
    gap = between(one, other)
    assert gap == (box, across, back) and gap.length == 6
    assert gap.bar(1.0).sum() == 6 * BAR and gap.bar(0.5).sum() == 3 * BAR
    # half a bar lies on the side of the first box
    assert gap.crossed(gap.bar(0.5)).tolist() == [True] * 3 + [False] * 3


def test_a_picture_by_hand():
    picture = draw(Scene((pair(),)))
    assert tuple(picture[3, 2]) == tuple(picture[12, 11]) == COLOURS["red"]
    assert tuple(picture[5, 18]) == GROUND  # a disc leaves the corners of its box
    assert tuple(picture[9, 22]) == COLOURS["blue"]
    assert tuple(picture[9, 13]) == MARK and tuple(picture[9, 16]) == GROUND
    assert coloured(picture, COLOURS["red"]).sum() == 100
    assert stencil("triangle", 3, 2).tolist() == [[False, True, False], [True, True, True]]


OVER = (8, 6, 18, 16)  # over LEFT


@pytest.mark.parametrize("name, top", [("covers", "red"), ("hides behind", "blue")])
def test_what_is_in_front_is_whole(name, top):
    picture = draw(Scene((pair(name, other=OVER, kinds=("square", "square")),)))
    assert tuple(picture[8, 10]) == COLOURS[top]
    subject, object_ = (found(picture, thing) for thing in pair(name, other=OVER).things)
    whole, hidden = (subject, object_) if top == "red" else (object_, subject)
    assert whole.shown == 1.0 and hidden.shown == pytest.approx(1 - 4 * 7 / 100)  # 12 - 8 wide, 13 - 6 high
    assert tuple(draw(Scene((pair("joins", other=OVER, kinds=("square", "square")),)))[8, 10]) == MARK


def test_every_scene_of_the_task_is_read_as_it_was_meant():
    rng = Random(0)
    scenes = [draw_scene(rng, Layouts()) for _ in range(25)]
    assert {len(scene.pairs) for scene in scenes} == {1, 2}
    assert {one.action for scene in scenes for one in scene.pairs} == {
        name for some in ACTIONS.values() for name in some
    }
    for scene in scenes:
        assert measured(draw(scene), scene) == {"relation": 1.0, "box_iou": 1.0, "attributes": 1.0}
        for other in variants(scene):  # a picture of other actions is read as theirs
            right = sum(a.action == b.action for a, b in zip(scene.pairs, other.pairs, strict=True))
            assert measured(draw(other), scene)["relation"] == right / len(scene.pairs)


def test_reading_finds_a_shape_that_moved_and_knows_another_kind():
    scene = Scene((pair(),))
    moved = Scene((pair(one=(2, 13, 12, 23), other=(18, 15, 26, 23)),))
    assert measured(draw(moved), scene) == {"relation": 1.0, "box_iou": (0.0 + 0.0) / 2, "attributes": 1.0}
    other = Scene((pair(kinds=("triangle", "disc")),))
    assert measured(draw(other), scene)["attributes"] == 0.5
    noisy = np.clip(draw(scene).astype(int) + np.random.default_rng(0).integers(-25, 26, (32, 32, 3)), 0, 255)
    assert measured(noisy.astype(np.uint8), scene) == {"relation": 1.0, "box_iou": 1.0, "attributes": 1.0}
    dark = np.zeros((32, 32, 3), dtype=np.uint8)
    assert measured(dark, scene) == {"relation": 0.0, "box_iou": 0.0, "attributes": 0.0}
    assert action(dark, None, found(draw(scene), scene.things[1])) == ""


def test_variants_are_every_choice_of_actions():
    scene = Scene((pair(),))
    assert [one.pairs[0].action for one in variants(scene)] == list(ACTIONS["apart"])
    assert legible(scene)
    # hidden but for a corner: nobody can tell what it was
    assert not legible(Scene((pair("covers", one=(2, 3, 13, 14), other=(4, 4, 14, 14)),)))


def test_scenes_that_make_no_sense_are_refused():
    for change, match in (({"name": "covers"}, "action is 'covers'; expected one of links to"),
                          ({"one": (5, 5, 5, 9)}, "box is"), ({"one": (5, 5, 40, 9)}, "within 32 pixels"),
                          ({"kinds": ("star", "disc")}, "kind is 'star'")):  # fmt: skip
        with pytest.raises(OperantError, match=match):
            pair(**change)
    with pytest.raises(OperantError, match="colours of a scene"):
        Scene((pair(), pair()))


def test_captions_are_sets():
    scene = Scene((pair(),))
    read = captions([scene, None])
    assert read.context.shape == (2, LONGEST, 32)
    assert read.mask.sum(-1).tolist() == [3, 1]
    assert torch.equal(read.context[0, 0], table()["red"] + table()["square"])
    assert torch.equal(read.context[0, 1], embedded("points at"))
    assert (read.context[1] == 0).all()
    with pytest.raises(OperantError, match="no word of a caption named 'rad'; did you mean 'red'"):
        embedded("rad square")


def test_a_picture_survives_the_disk_and_the_net():
    picture = Picture.of(draw(Scene((pair(),))))
    answer = Answer(value=picture)
    assert load(json.loads(json.dumps(dump(answer)))) == answer
    assert pictures(clean(picture.pixels)[None]) == [picture]
    shown = show(answer)
    assert shown.startswith('<img alt="a picture of 32 x 32 pixels') and 'src="data:image/png;base64,' in shown
    for stored, match in (({"finish": "stop", "rgb": "AAAA"}, "3 bytes"), ({"finish": "so", "rgb": ""}, "finish")):
        with pytest.raises(OperantError, match=match):
            load(stored)
    with pytest.raises(OperantError, match="value of an answer is 'text'; expected a Picture"):
        dump(Answer(value="text"))


def test_properties_by_hand():
    dark = Picture(bytes(32 * 32 * 3))
    lit = Picture.of(draw(Scene((pair(),))))
    told = properties([Answer(value=one) for one in (dark, lit, lit)])
    assert told.length == (0.0, lit.lit, lit.lit)
    assert told.diversity == {"different_pictures": pytest.approx(2 / 3)}


def test_test_scenes_come_by_threes_that_differ_in_their_actions_alone():
    scenes = [one.content for one in Shapes(knobs=Knobs(scenes=2, valid=2, test=12)).prompts("test")]
    for at in range(0, 12, 3):
        three = scenes[at : at + 3]
        assert len({tuple(thing.box for thing in one.things) for one in three}) == 1
        for place in range(len(three[0].pairs)):
            assert len({one.pairs[place].action for one in three}) == 3


def test_boxes_do_not_tell_the_action():
    # over many scenes every action is as frequent within each kind of boxes, whoever is left or above
    scenes = Shapes(knobs=Knobs(scenes=2, valid=2, test=60)).prompts("test")
    pairs = [one for prompt in scenes for one in prompt.content.pairs]
    for over, first in product((True, False), repeat=2):
        some = [one.action for one in pairs if one.overlap == over
                and (one.subject.box[:2] < one.object.box[:2]) == first]  # fmt: skip
        counts = {name: some.count(name) for name in set(some)}
        assert max(counts.values()) == min(counts.values())
