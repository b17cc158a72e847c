"""Variational preference learning: contexts without leaks, who is known and who is not, what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from math import log
from pathlib import Path

import pytest

import tiny
from operant.compare.scorers import scorer_from
from operant.domains.text.tasks.from_file import FromFile
from operant.errors import BadValue, NotApplicable
from operant.methods import load
from operant.methods.reward.variational_preference_learning import Config
from operant.methods.reward.variational_preference_learning.examples import examples, users_of
from operant.rewards.questions import most_telling
from operant.rewards.user_model import UserRewardModel
from operant.schema import Answer

SLUG = "variational-preference-learning"
ROOT = os.environ.get("OPERANT_TEST_DATA")
PAIRS = tiny.Blind(knobs=tiny.KNOBS).pairs("train")


class Opposed(tiny.Blind):
    """Users 0 and 1 like praise at the end, user 2 dislikes it: whoever does not know the user cannot be right."""

    def pairs(self, split, *, attribute=None):
        return [opposed(pair) for pair in super().pairs(split, attribute=attribute)]


GOOD, BAD = "the noise is superb . the build is superb .", "the noise is awful . the build is awful ."


def opposed(pair):
    liked, other = (BAD, GOOD) if pair.prompt.columns["user"] == "user 2" else (GOOD, BAD)
    chosen, rejected = (Answer(value=f"{pair.chosen.value} {end}") for end in (liked, other))
    return replace(pair, chosen=chosen, rejected=rejected)


def run(bench, **settings):
    return load(SLUG).run(tiny.config(SLUG, **settings), bench)


def test_the_defaults_are_those_of_the_language_version():
    config = Config()
    assert (config.fewest, config.most, config.latent, config.hidden) == (2, 8, 512, 512)
    assert (config.kl_weight, config.cycle, config.floor) == (1e-4, 10_000, 0.1)
    assert (config.learning_rate, config.batch_size, config.epochs, config.comparisons) == (1e-4, 32, 2, 1000)
    for settings in ({"fewest": 0}, {"fewest": 9}, {"kl_weight": -1.0}, {"latent": 0}):
        with pytest.raises(BadValue):
            Config(**settings)


def drawn(**changes):
    users = users_of(PAIRS, "user", "group")
    return examples(PAIRS, users, **{"sizes": (2, 4), "epochs": 3, "batch_size": 8, "seed": 0} | changes), users


def test_no_target_stands_in_its_own_context_and_all_of_it_is_the_users():
    found, users = drawn()
    assert len(found) == 3 * len(PAIRS)
    for one in found:
        assert one.target not in one.context and len(set(one.context)) == len(one.context)
        assert {users.of[place] for place in one.context} == {users.of[one.target]}
        assert 2 <= len(one.context) <= 4


def test_the_same_texts_under_another_place_are_no_context():
    twice = [*PAIRS, *PAIRS]
    users = users_of(twice, "user", "group")
    for one in examples(twice, users, sizes=(2, 8), epochs=2, batch_size=8, seed=0):
        assert (one.target + len(PAIRS)) % len(twice) not in one.context


def test_contexts_differ_between_epochs_and_steps_are_counted():
    found, _ = drawn()
    by_target = {}
    for one in found:
        by_target.setdefault(one.target, []).append(one.context)
    assert any(len(set(contexts)) > 1 for contexts in by_target.values())
    assert [one.step for one in found] == [place // 8 for place in range(len(found))]
    assert drawn()[0] == found != drawn(seed=1)[0]


def test_users_with_too_few_comparisons_are_left_out():
    few = [tiny.of_user(pair, 0 if place < 20 else place) for place, pair in enumerate(PAIRS)]
    users = users_of(few, "user", "group")
    assert {users.of[one.target] for one in examples(few, users, sizes=(2, 4), epochs=1, batch_size=8, seed=0)} == {
        "user 0"
    }
    with pytest.raises(NotApplicable, match="no user has 31 different comparisons"):
        examples(few, users, sizes=(30, 40), epochs=1, batch_size=8, seed=0)


def test_pairs_that_do_not_say_whose_they_are_are_refused(tiny_bench):
    with pytest.raises(NotApplicable, match="need a column 'judge'.*user_column=NAME"):
        run(tiny_bench(), user_column="judge")
    with pytest.raises(NotApplicable, match="rows need a column 'kind'"):
        run(tiny_bench(), model="oracle", group_column="kind")


def accuracy(scorer, pairs):
    wins = scorer.compare([p.prompt for p in pairs], [p.chosen for p in pairs], [p.rejected for p in pairs])
    return sum(win > 0.5 for win in wins) / len(wins)


LONG = {"epochs": 60, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """On opposed pairs, each with another model."""
    knobs = replace(tiny.KNOBS, pairs=90, valid_pairs=30)
    models = {}
    for name in ("reward", "plain", "oracle", "classifier"):
        bench = tiny.bench(tmp_path_factory.mktemp(name), task=Opposed(knobs=knobs), epochs=50)
        models[name] = run(bench, model=name, **LONG)
    return models, [opposed(pair) for pair in tiny.Graded(knobs=knobs).pairs("valid")]


def test_it_is_right_about_users_who_want_opposite_things(trained):
    # blind to the user, twice as many pairs of one taste as of the other are at best two thirds
    models, pairs = trained
    found = {name: accuracy(products.scorer, pairs) for name, products in models.items()}
    assert found["oracle"] > 0.8 and found["reward"] > 0.8 and found["classifier"] > 0.8
    assert found["plain"] < 0.75


def named(products, start):
    (found,) = [one for one in products.findings if one.name.startswith(start)]
    return found


def test_findings_show_that_contexts_are_read(trained):
    products = trained[0]["reward"]
    known = named(products, "accuracy with 8 comparisons of the user").effect
    assert known > named(products, "accuracy with 0 comparisons").effect
    assert known > named(products, "accuracy with 8 comparisons of somebody else").effect
    assert named(products, "KL of beliefs").low > 0
    assert not trained[0]["plain"].findings


def test_a_new_user_is_known_by_a_few_comparisons(trained):
    products, pairs = trained[0]["reward"], trained[1]
    scorer, asked = products.scorer, pairs[0]  # of user 0: praise is chosen
    for likes_praise, user in ((True, "user 0"), (False, "user 2")):
        own = [pair for pair in pairs[1:] if pair.prompt.columns["user"] == user][:8]
        scorer.beliefs["new"] = scorer.infer_user(own)
        prompt = replace(asked.prompt, columns={**asked.prompt.columns, "user": "new"})
        (win,) = scorer.compare([prompt], [asked.chosen], [asked.rejected])
        assert (win > 0.5) == likes_praise
    del scorer.beliefs["new"]


def test_without_comparisons_the_average_user_is_assumed_and_said(trained):
    scorer = trained[0]["reward"].scorer
    with pytest.warns(UserWarning, match="the average user is assumed"):
        belief = scorer.infer_user([])
    assert (belief.mean == 0).all() and (belief.log_variance == 0).all()
    prompt = replace(trained[1][0].prompt, columns={"user": "nobody"})
    assert (scorer.latents([prompt]) == 0).all()


def test_the_most_telling_comparisons_are_places_of_the_pairs(trained):
    scorer, pairs = trained[0]["reward"].scorer, trained[1]
    places = most_telling(scorer, pairs, num=3, seed=0)
    assert len(set(places)) == 3 and set(places) <= set(range(len(pairs)))
    assert most_telling(scorer, pairs, num=3, seed=0) == places
    swapped = [replace(pair, chosen=pair.rejected, rejected=pair.chosen) for pair in pairs]
    assert len(most_telling(scorer, swapped, num=3, seed=0)) == 3
    with pytest.raises(BadValue, match="between 1 and the 30 pairs"):
        most_telling(scorer, pairs, num=31, seed=0)


@pytest.mark.parametrize("name", ["reward", "classifier", "oracle", "plain"])
def test_it_comes_back_with_the_same_scores(trained, tmp_path, name):
    scorer, pairs = trained[0][name].scorer, trained[1]
    (tmp_path / "scorer").mkdir()
    scorer.save(tmp_path / "scorer")
    loaded = scorer_from(str(tmp_path), max_length=96)
    assert isinstance(loaded, UserRewardModel) and loaded.scale == scorer.scale
    asked = [pair.prompt for pair in pairs], [pair.chosen for pair in pairs]
    assert loaded.score(*asked) == scorer.score(*asked)
    if name == "classifier":
        assert all(0 <= one.value <= 1 for one in loaded.score(*asked))


def test_a_heavy_kl_leaves_nothing_of_the_user(tiny_bench):
    # beliefs fall back on the prior, and users are no longer told apart
    knobs = replace(tiny.KNOBS, pairs=60)
    found = {}
    for weight in (0.0, 1000.0):
        products = run(tiny_bench(task=Opposed(knobs=knobs), epochs=20), kl_weight=weight, floor=1.0, epochs=40)
        found[weight] = named(products, "KL of beliefs").effect
    assert found[1000.0] < 0.02 * found[0.0]
    # nothing told costs nothing to learn, and a coin costs log 2
    assert found[1000.0] < log(2)


@pytest.mark.parametrize(
    "settings",
    [{"fewest": 3}, {"most": 3}, {"latent": 16}, {"hidden": 16}, {"kl_weight": 0.0}, {"cycle": 3}, {"floor": 0.9},
     {"prior": "learned"}, {"layer": -1}, {"learning_rate": 1e-2}, {"batch_size": 4}, {"epochs": 5},
     {"normalize_eval": False}, {"user_column": "group"}],
)  # fmt: skip
def test_every_setting_has_an_effect(tiny_bench, settings):
    def leads(**more):
        scorer = run(tiny_bench(epochs=20), **{"kl_weight": 1.0, "epochs": 10} | more).scorer
        return scorer.compare([p.prompt for p in PAIRS], [p.chosen for p in PAIRS], [p.rejected for p in PAIRS])

    assert leads(**settings) != leads()


def test_how_many_answers_a_classifier_compares_with_has_an_effect(tiny_bench):
    def shares(**more):
        scorer = run(tiny_bench(), model="classifier", **more).scorer
        return scorer.score([p.prompt for p in PAIRS[:3]], [p.chosen for p in PAIRS[:3]])

    assert shares(comparisons=3) != shares()


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_relabelled_dialogues_have_two_users_of_opposite_wishes(tmp_path):
    task = FromFile(
        model="", data=str(Path(ROOT or "") / "hh_rlhf_vpl_relabelled/both.jsonl.gz"), columns={}, limit=400,
        on_bad_row="skip", test_prompts=None,
    )  # fmt: skip
    pairs = task.pairs("train")
    users = users_of(pairs, "objective", "objective")
    assert set(users.of) == {"helpful", "harmless"}
    found = examples(pairs, users, sizes=(2, 8), epochs=1, batch_size=32, seed=0)
    assert len(found) > 0.9 * len(pairs)
