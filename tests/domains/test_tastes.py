"""The `tastes` task: users who want opposite things, and who err as often as they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from operant.domains.text.tasks.reviews import Reviews
from operant.domains.text.tasks.reviews.gold import gold
from operant.domains.text.tasks.tastes import GROUPS, Knobs, Tastes
from operant.domains.text.tasks.tastes.task import _request, wanted
from operant.errors import NotApplicable, UnknownName
from operant.meter import metered
from operant.schema import Answer

MANY = Knobs(pairs=800)


def gaps(pairs):
    """[pairs] how much more of what its user wants is in the chosen answer."""
    return np.array([wanted(pair.prompt, pair.chosen) - wanted(pair.prompt, pair.rejected) for pair in pairs])


def test_what_a_user_wants_by_hand():
    prompt = Tastes().prompts("test")[0]
    text = Answer(value="the noise is superlative .")  # sentiment 2 / 2 = 1, formality 1
    values = {}
    for group in GROUPS:
        values[group] = wanted(replace(prompt, columns={**prompt.columns, "group": group}), text)
    assert values == {"praise": 1.0, "criticism": -1.0, "formal": 1.0, "informal": -1.0}


def test_groups_want_the_opposite_on_every_pair():
    for pair in Tastes(knobs=replace(MANY, pairs=200)).pairs("train"):
        values = [gold(one.value, _request(pair.prompt)) for one in (pair.chosen, pair.rejected)]
        assert all(values[0][name] != values[1][name] for name in ("sentiment", "formality"))


def test_one_taste_for_all_is_right_half_of_the_time():
    # each group has its opposite: whoever prefers more sentiment is right for one of two, and neither for the others
    pairs = Tastes(knobs=MANY).pairs("train")
    both = [[gold(one.value, _request(p.prompt))["sentiment"] for one in (p.chosen, p.rejected)] for p in pairs]
    assert abs(np.mean([chosen > rejected for chosen, rejected in both]) - 0.5) < 4 * 0.5 / 800**0.5


def test_users_err_at_the_rate_of_their_sharpness():
    gap = gaps(Tastes(knobs=MANY).pairs("train"))
    rate = 1 / (1 + np.exp(MANY.taste_sharpness * np.abs(gap)))
    deviations = ((gap < 0).sum() - rate.sum()) / np.sqrt((rate * (1 - rate)).sum())
    assert abs(deviations) < 4 and 0.01 < (gap < 0).mean() < 0.15


def test_users_of_test_pairs_make_no_mistake():
    pairs = Tastes().pairs("test")
    assert (gaps(pairs) > 0).all() and len(pairs) == Knobs().test_pairs


def test_users_and_groups_take_turns_and_keep_their_taste():
    users = {}
    counts = Counter()
    for split in ("train", "valid", "test"):
        for pair in Tastes().pairs(split):
            users.setdefault(pair.prompt.columns["user"], set()).add(pair.prompt.columns["group"])
            counts[split, pair.prompt.columns["user"]] += 1
    assert len(users) == Knobs().users and all(len(groups) == 1 for groups in users.values())
    assert {len({u for u, g in users.items() if g == {group}}) for group in GROUPS} == {Knobs().users // 4}
    assert min(counts["train", user] for user in users) == Knobs().pairs // Knobs().users


def test_ask_is_the_user_and_costs_one_label_each():
    task = Tastes(knobs=MANY)
    pairs = task.pairs("train")[:200]
    with metered() as cost:
        verdicts = task.ask([p.prompt for p in pairs], [p.chosen for p in pairs], [p.rejected for p in pairs])
    assert cost.labels == 200 and set(verdicts) == {0.0, 1.0}
    assert np.mean(verdicts) > 0.8
    turned = task.ask([p.prompt for p in pairs], [p.rejected for p in pairs], [p.chosen for p in pairs])
    assert np.mean(turned) < 0.2


def test_the_reviews_are_left_as_they_were():
    # drawn from a stream of their own
    mine = {pair.chosen.value for pair in Tastes().pairs("valid")}
    assert not mine & {pair.chosen.value for pair in Reviews().pairs("valid")}


def test_there_are_pairs_alone():
    task = Tastes()
    for ask in (task.judged, task.documents):
        with pytest.raises(NotApplicable, match="has pairs alone"):
            ask("train")
    with pytest.raises(UnknownName):
        task.pairs("train", attribute="sentiment")
    assert task.resized(pairs=10, test_prompts=5).knobs.users == Knobs().users
    assert task.summary()["users"] == Knobs().users
