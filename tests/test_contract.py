"""What every method promises, tried on every method. A method joins the library by passing; none is excused by name."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest
import torch

import tiny
from operant.card import Card, parse_row
from operant.compare.feedback import has_weights
from operant.compare.products import load_made, save_products
from operant.compare.tasks import embedded
from operant.compare.tuning import grid
from operant.disk import read_json, write_json
from operant.errors import NotApplicable, UnknownName
from operant.meter import Cost
from operant.methods import HERE, card, load, slugs, sources
from operant.schema import Products

OTHER_METRICS = {
    "accuracy": "up",
    "surprise": "down",
    "filler": "down",
    "steps": "up",
}  # of scorers; of text given; of solutions


def fields(slug: str) -> dict[str, dataclasses.Field]:
    return {field.name: field for field in dataclasses.fields(load(slug).config)}


def choices(slug: str) -> list[tuple[str, object]]:
    """Every value of every setting that is one of a few words, but the default."""
    found = []
    for name, hint in get_type_hints(load(slug).config).items():
        if get_origin(hint) is Literal:
            found += [(name, value) for value in get_args(hint) if value != fields(slug)[name].default]
    return found


CHOICES = [(slug, name, value) for slug in slugs() for name, value in choices(slug)]


@pytest.mark.parametrize("slug", slugs())
def test_the_card_in_the_source_is_the_card_in_memory(slug):
    method = load(slug)
    assert card(slug) == method.card
    assert method.card.slug == slug
    assert method.card.family == sources()[slug].relative_to(HERE).parts[0]


@pytest.mark.parametrize("slug", slugs())
def test_rows_that_the_card_names_exist_and_their_settings_are_valid(slug):
    about: Card = card(slug)
    rows = [*about.baselines, *about.needs, *(claim.against for claim in about.claims)]
    rows += [claim.row for claim in about.claims if claim.row]
    for row in rows:
        name, settings = parse_row(row)
        assert name in slugs(), f"{slug} names {row}, which is no method"
        load(name).config(**settings)
    assert {parse_row(claim.row)[0] for claim in about.claims if claim.row} <= {slug}


@pytest.mark.parametrize("slug", slugs())
def test_claims_can_be_tested(slug, tiny_run):
    # A claim about what no task measures and no run finds would stand as "not tested" for ever.
    about = card(slug)
    for claim in about.claims:
        directions = {one.name: one.direction for one in embedded(claim.task, seed=0).metrics} | OTHER_METRICS
        assert claim.task == about.task
        if claim.metric in directions:
            assert claim.direction == directions[claim.metric]
        else:
            found = tiny_run(slug, **parse_row(claim.row or slug)[1])[0].findings
            assert claim.metric in [getattr(one, "key", "") for one in found]
        assert claim.smallest >= 0
        assert parse_row(claim.against) != parse_row(claim.row or slug), "against itself"


@pytest.mark.parametrize("slug", slugs())
def test_settings_are_frozen_named_and_closed(slug):
    config = load(slug).config
    assert config.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields(slug).values())
    with pytest.raises(TypeError):
        config(no_such_setting=1)
    with pytest.raises(UnknownName, match=f"no setting of {slug} named 'no_such_setting'"):
        tiny.config(slug, no_such_setting=1)


@pytest.mark.parametrize("slug, name", sorted({choice[:2] for choice in CHOICES}))
def test_a_word_that_is_no_choice_is_refused(slug, name):
    with pytest.raises(UnknownName, match=f"no {name} of {slug} named 'nothing of the kind'; known: "):
        tiny.config(slug, **{name: "nothing of the kind"})


@pytest.mark.parametrize("slug", slugs())
def test_tuning_starts_from_the_default_and_every_point_is_valid(slug):
    method, default = load(slug), tiny.config(slug)
    points = grid(method.card, default, trials=1000, seed=0)
    assert points[0] == {name: getattr(default, name) for name in method.card.search}
    for point in points:
        dataclasses.replace(default, **point)


class First(NamedTuple):
    """What several tests look at of one run."""

    products: Products
    cost: Cost
    share: float  # of the budget
    base_kept: bool  # whether the base's weights are what they were


@cache
def first(slug: str) -> First:
    stands, folder = tiny.stage(slug), Path(tiny.FOLDER.name) / "contract" / slug
    module = stands.base.module if has_weights(stands.base) else torch.nn.Module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    products, cost = tiny.run(slug, folder)
    kept = all((value == before[name]).all() for name, value in module.state_dict().items())
    return First(products, cost, tiny.bench(folder, slug=slug).budget.share(cost), bool(kept))


@pytest.mark.parametrize("slug", slugs())
def test_the_same_seed_gives_the_same_result_and_the_disk_keeps_it(slug, tiny_run, tmp_path):
    products, cost = first(slug)[:2]
    again, cost_again = tiny_run(slug)
    loaded = through_disk(slug, products, tmp_path)  # saved before anything was asked of it
    found = tiny.grade(products, slug=slug)
    assert found == tiny.grade(again, slug=slug)
    assert cost == cost_again
    assert tiny.grade(loaded, slug=slug) == found
    assert {name: getattr(loaded, name) is None for name in ("generator", "scorer", "own_reward")} == {
        name: getattr(products, name) is None for name in ("generator", "scorer", "own_reward")
    }
    write_json(tmp_path / "found.json", found)
    assert read_json(tmp_path / "found.json") == found
    charged(slug, cost, measures=bool(products.findings))


def charged(slug: str, cost: Cost, *, measures: bool) -> None:
    """Who trains, or reads the product of one who does, pays for backward passes; nobody else does.

    Labels are for who trains on them or measures by them and says what was found. Whether they were read is the
    task's to know: see the view's own tests.
    """
    trains = "learning_rate" in fields(slug) or bool(card(slug).needs)
    assert (cost.backward_flops > 0) == trains
    assert trains or measures or cost.labels == 0
    assert cost.forward_flops >= cost.backward_flops / 2  # a backward pass counts as twice its forward pass


def through_disk(slug: str, products: Products, directory, **settings) -> Products:
    config = tiny.config(slug, **settings)
    save_products(products, directory / "product", {"slug": slug})
    return load_made(load(slug), config, directory / "product", tiny.stage(slug).base)


@pytest.mark.parametrize("slug", slugs())
def test_the_budget_is_kept(slug):
    # Batches are drawn at random and padded to their longest, so so few of them may cost a tenth more than planned.
    assert first(slug).share < 1.1


@pytest.mark.parametrize("slug", slugs())
def test_the_base_is_left_as_it_was(slug):
    assert first(slug).base_kept


@pytest.mark.parametrize("slug, name, value", CHOICES)
def test_every_choice_works_and_survives_the_disk(slug, name, value, tiny_run, tmp_path):
    try:
        products, _ = tiny_run(slug, **{name: value})
    except NotApplicable as error:
        pytest.fail(f"{slug}:{name}={value} cannot run on a task that has everything: {error}")
    loaded = through_disk(slug, products, tmp_path, **{name: value})
    assert tiny.grade(loaded, slug=slug) == tiny.grade(products, slug=slug)
