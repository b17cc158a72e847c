"""What every embedded task promises, tried on every task: the folder is the registry, none is excused by name."""

from __future__ import annotations

import pytest

from operant.compare.bench import View
from operant.compare.feedback import has_weights
from operant.compare.tasks import embedded, represent, task_names
from operant.domains.control.represent import Episode
from operant.domains.music.notes import Piece
from operant.domains.vision.represent import Picture
from operant.errors import NotApplicable, OperantError, offered
from operant.models.adapters import Lora
from operant.models.loading import Loading
from operant.schema import Answer, Decoding

SIZE = {"pairs": 24, "test_prompts": 6}
KINDS = ("pairs", "judged", "documents")


def task(name: str, *, seed: int = 0):
    return embedded(name, seed=seed, **SIZE)


def said(feedback, kind: str, split: str) -> list:
    return offered(lambda: getattr(feedback, kind)(split))


@pytest.mark.parametrize("name", task_names())
def test_it_says_what_it_is(name):
    made = task(name)
    assert made.name == name and made.metrics and made.gold_kind
    for member in ("attributes", "canned", "bodies", "hidden"):
        assert all(isinstance(one, str) for one in getattr(made, member)), member
    assert made.identity() == task(name, seed=1).identity()  # a seed draws feedback; it is not another task
    assert made.summary()


@pytest.mark.parametrize("name", task_names())
def test_feedback_is_drawn_anew_for_each_seed_and_test_prompts_are_shared(name):
    one, again, other = task(name), task(name), task(name, seed=1)
    assert one.prompts("test") == other.prompts("test")
    assert len(one.prompts("test")) == SIZE["test_prompts"]
    offers = [kind for kind in KINDS if said(one, kind, "train")]
    if not offers:  # prompts alone, to act in or to search for: then those are drawn
        assert other.prompts("valid") != one.prompts("valid") == again.prompts("valid")
    for kind in offers:
        assert said(one, kind, "train") == said(again, kind, "train")
        assert said(one, kind, "train") != said(other, kind, "train")


@pytest.mark.parametrize("name", task_names())
def test_no_test_prompt_is_seen_in_training(name):
    made = task(name)
    tested = {prompt.id for prompt in made.prompts("test")}
    for split in ("train", "valid"):
        assert not tested & {prompt.id for prompt in made.prompts(split)}
        for kind in KINDS:
            prompts = [one.prompt for one in said(made, kind, split) if one.prompt is not None]
            assert not tested & {prompt.id for prompt in prompts}, kind


def written(made) -> bool:
    """Whether answers are texts, of a language model."""
    return has_weights(made.base())


def strange(made, prompts) -> list[list[Answer]]:
    """Answers that nobody expects: odd texts, formulas without a value, silence, an agent that stays."""
    if written(made):
        values = ("", "???", "the 1 2 3 . answer", "\x00", "a " * 200)
        return [[Answer(value=value)] * len(prompts) for value in values]
    if made.subject == "symbolic":
        values = ((0.0,), ("log", "neg", "exp", "x1"), ("div", 1.0, "sub", "x1", "x1"))
        return [[Answer(value=value)] * len(prompts) for value in values]
    if made.subject == "music":
        return [[Answer(value=Piece(notes=(), bars=bars))] * len(prompts) for bars in (0, 12)]
    if made.subject == "vision":
        return [[Answer(value=Picture(bytes([level]) * 3072))] * len(prompts) for level in (0, 250)]
    return [[Answer(value=Episode(layout=one.content, path=(one.content.start,))) for one in prompts]]


@pytest.mark.parametrize("name", task_names())
def test_gold_is_total(name):
    made = task(name)
    prompts = made.prompts("test")
    for answers in strange(made, prompts):
        found = made.gold(prompts, answers)
        assert set(found) == {metric.name for metric in made.metrics}
        assert all(score.value is not None for many in found.values() for score in many)


@pytest.mark.parametrize("name", task_names())
def test_what_the_base_answers_is_stored_and_drawn(name):
    made = task(name)
    about = represent(made.subject)
    drawn = made.base().answer(made.prompts("test")[:2], n=2, decoding=Decoding(max_tokens=4), seed=0)
    assert [len(many) for many in drawn] == [2, 2]
    for answer in (one for many in drawn for one in many):
        stored = about.dump(answer)
        assert {"text", "finish"} <= set(stored)
        assert about.dump(about.load(stored)) == stored
        assert "<script" not in about.show(answer)
    assert len(about.properties([many[0] for many in drawn]).length) == 2


@pytest.mark.parametrize("name", [name for name in task_names() if written(task(name))])
def test_the_base_answers_in_every_way_of_loading(name):
    made = task(name)
    plain = made.base(Loading())
    drawn = plain.answer(made.prompts("test")[:2], n=1, decoding=Decoding(max_tokens=4), seed=0)
    assert all(many[0].tokens for many in drawn)
    assert sum(weight.numel() for weight in plain.module.parameters()) < 2_000_000
    assert made.base(Loading(lora=Lora(rank=2))).loading.lora == Lora(rank=2)


@pytest.mark.parametrize("name", task_names())
def test_verification_stops_at_test_prompts(name):
    made = task(name)
    view = View(made)
    try:
        answers = view.prompts("valid")[:1], [many[0] for many in made.base().answer(
            view.prompts("valid")[:1], n=1, decoding=Decoding(max_tokens=4), seed=0)]  # fmt: skip
        view.verify(*answers)
    except NotApplicable:
        return
    for door in (view, made):
        with pytest.raises(OperantError):
            door.verify(made.prompts("test")[:1], answers[1])
