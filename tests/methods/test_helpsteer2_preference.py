"""HelpSteer2-Preference: what strengths, near ties and ratings do, where extrapolation goes, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tiny
from operant.engine.policy import LanguageModel
from operant.errors import BadValue, NotApplicable, OperantError
from operant.meter import metered
from operant.methods import load
from operant.methods.reward.helpsteer2_preference import ALPHAS, Config
from operant.models.adapters import Lora
from operant.models.loading import Loading
from operant.models.weights import weights
from operant.training.held_out import held_out

SLUG = "helpsteer2-preference"


class Other(tiny.Blind):
    """The tiny task with every pair changed."""

    def __init__(self, change):
        super().__init__(knobs=tiny.KNOBS)
        self.change = change

    def pairs(self, split, *, attribute=None):
        return [self.change(pair) for pair in super().pairs(split, attribute=attribute)]


def run(bench, **settings):
    return load(SLUG).run(tiny.config(SLUG, **settings), bench)


def trained(products):
    return weights(products.scorer.head)


def same(one, two) -> bool:
    one, two = trained(one), trained(two)
    return one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


def test_the_defaults_are_the_published_recipe():
    config = Config()
    assert (config.start, config.loss, config.regress) == ("regression", "scaled", "overall")
    assert (config.regression_rate, config.learning_rate, config.batch_size) == (2e-6, 1e-6, 64)
    assert (config.regression_epochs, config.epochs, 0.5 in ALPHAS) == (2, 1, True)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"start": "base", "loss": "none"}, "another one where start=base"),
        ({"start": "base", "regress": "attributes"}, "overall where start=base"),
        ({"start": "base", "extrapolation": 0.5}, "nothing to extrapolate from"),
        ({"loss": "none", "extrapolation": 0.5}, "nothing to extrapolate from"),
        ({"rating_scale": 0.0}, "above 0"),
        ({"points": 0}, "at least 1"),
        ({"held_out": 1.0}, "between 0 and 1"),
    ],
)
def test_settings_without_effect_are_refused(settings, told):
    with pytest.raises(BadValue, match=told):
        Config(**settings)


def test_with_equal_strengths_of_one_scaled_is_regular(tiny_bench):
    plain = Other(lambda pair: replace(pair, margin=1.0))
    scaled, regular = (run(tiny_bench(task=plain), start="base", loss=loss) for loss in ("scaled", "regular"))
    assert same(scaled, regular)


def test_strengths_decide_what_scaled_and_margin_learn(tiny_bench):
    found = {loss: run(tiny_bench(), start="base", loss=loss) for loss in ("scaled", "margin", "regular")}
    assert not same(found["scaled"], found["regular"]) and not same(found["margin"], found["regular"])
    assert not same(found["scaled"], found["margin"])


def tie_some(pair):
    return replace(pair, margin=0.0 if sum(map(ord, pair.chosen.value)) % 2 else pair.margin)


def test_near_ties_are_left_out_of_preferences(tiny_bench):
    # turned round they would teach the opposite; here they teach nothing
    def turned(pair):
        tied = tie_some(pair)
        return replace(tied, chosen=pair.rejected, rejected=pair.chosen) if tied.margin == 0 else tied

    tied, other = (run(tiny_bench(task=Other(change)), start="base", points=1) for change in (tie_some, turned))
    assert same(tied, other)


def test_near_ties_are_kept_for_the_regression(tiny_bench):
    ties = run(tiny_bench(task=Other(lambda pair: replace(pair, margin=0.0))), loss="none")
    assert same(ties, run(tiny_bench(), loss="none"))


def test_pairs_turned_round_teach_the_opposite(tiny_bench):
    def accuracy(change):
        bench = tiny_bench(task=Other(change), epochs=20)
        scorer = run(bench, start="base", epochs=20, points=1, learning_rate=1e-2).scorer
        pairs = tiny.Blind(knobs=tiny.KNOBS).pairs("train")
        wins = scorer.compare([p.prompt for p in pairs], [p.chosen for p in pairs], [p.rejected for p in pairs])
        return sum(win > 0.5 for win in wins) / len(wins)

    assert accuracy(lambda pair: pair) > 0.7
    assert accuracy(lambda pair: replace(pair, chosen=pair.rejected, rejected=pair.chosen)) < 0.3


@pytest.mark.parametrize(
    "change, settings, error, told",
    [
        ({"margin": 0.0}, {}, OperantError, "all 22 preferences have strength 0"),
        ({"margin": None}, {}, NotApplicable, "this loss reads how strong a preference is"),
        ({"margin": 2.5}, {}, BadValue, "a whole number from 0 to 3"),
        ({"margin": 4.0}, {"loss": "margin"}, BadValue, "a whole number from 0 to 3"),
        ({"ratings": None}, {}, NotApplicable, "carry no ratings to learn"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(tiny_bench, change, settings, error, told):
    with pytest.raises(error, match=told):
        run(tiny_bench(task=Other(lambda pair: replace(pair, **change))), **settings)


def test_pairs_without_strength_or_ratings_fit_the_regular_loss(tiny_bench):
    bare = Other(lambda pair: replace(pair, margin=None, ratings=None))
    assert run(tiny_bench(task=bare), start="base", loss="regular").scorer.scale == "logit"


def test_extrapolation_goes_on_in_the_direction_of_the_second_training(tiny_bench):
    # from the regression (alpha -1) to the end (0) is as far as from the end to alpha 1
    first, end, beyond = (trained(run(tiny_bench(), extrapolation=alpha, points=1)) for alpha in (-1.0, 0.0, 1.0))
    moved = 0.0
    for name in end:
        assert (beyond[name] - end[name]).allclose(end[name] - first[name], atol=1e-6)
        moved += float((end[name] - first[name]).abs().sum())
    assert moved > 0


def named(products, start):
    return [one for one in products.findings if one.name.startswith(start)]


def test_validation_chooses_alpha_and_says_which_were_as_good(tiny_bench):
    (found,) = named(run(tiny_bench()), "alpha")
    assert {found.effect, found.low, found.high} <= set(ALPHAS)
    assert found.effect == found.low <= found.high
    (given,) = named(run(tiny_bench(), extrapolation=0.3), "alpha")
    assert given.effect == 0.3


def test_findings_are_those_of_the_scorer_that_is_handed_over(tiny_bench):
    products = run(tiny_bench(epochs=10))
    pairs = held_out(tiny.Blind(knobs=tiny.KNOBS).pairs("train"), share=Config().held_out, seed=0).held
    wins = products.scorer.compare([p.prompt for p in pairs], [p.chosen for p in pairs], [p.rejected for p in pairs])
    (whole,) = [one for one in products.findings if one.name == "accuracy on held-out pairs"]
    assert whole.effect == sum(win > 0.5 for win in wins) / len(wins)
    strengths = {pair.margin for pair in pairs}
    assert len(named(products, "accuracy on held-out pairs of strength")) == len(strengths)
    assert named(products, "rank correlation")


def test_attributes_are_learnt_beside_and_not_scored(tiny_bench, tmp_path):
    for loss in ("scaled", "none"):
        products = run(tiny_bench(), regress="attributes", loss=loss)
        assert products.scorer.head.score.out_features == 1
        assert products.scorer.scale == ("raw" if loss == "none" else "logit")
    assert not same(products, run(tiny_bench(), loss="none"))  # what they taught the body

    class Bare(tiny.Blind):
        attributes = ()

    with pytest.raises(NotApplicable, match="no pairs about attributes"):
        run(tiny_bench(task=Bare(knobs=tiny.KNOBS)), regress="attributes")


def test_the_scale_of_ratings_and_every_rate_have_an_effect(tiny_bench):
    plain = run(tiny_bench(), loss="none")
    for settings in ({"rating_scale": 4.0}, {"regression_rate": 1e-4}, {"regression_epochs": 1}):
        assert not same(plain, run(tiny_bench(), loss="none", **settings)), settings
    long, short = (run(tiny_bench(epochs=10), epochs=epochs, extrapolation=0, points=1) for epochs in (1, 0.5))
    assert not same(long, short)


@pytest.mark.parametrize("share", [0.1, 0.7])
@pytest.mark.parametrize("settings", [{}, {"start": "base"}, {"loss": "none"}])
def test_validation_never_spends_what_is_not_there(tiny_bench, settings, share):
    # with 17 of 24 held out, six passes over all of them would cost more than the training
    bench = tiny_bench()
    with metered() as cost:
        run(bench, epochs=None, regression_epochs=None, held_out=share, **settings)
    assert 0.8 < bench.budget.share(cost) <= 1


@pytest.mark.parametrize("settings", [{}, {"start": "base"}, {"regress": "attributes"}])
def test_adapters_come_back_with_the_same_scores(tiny_bench, tmp_path, settings):
    tiny.base().save(tmp_path / "base")
    bench = tiny_bench()
    bench.base = LanguageModel.load(tmp_path / "base", Loading(lora=Lora(rank=2)))
    scorer = run(bench, **settings).scorer
    scorer.save(tmp_path / "scorer")
    pairs = tiny.Blind(knobs=tiny.KNOBS).pairs("valid")
    asked = [pair.prompt for pair in pairs], [pair.chosen for pair in pairs]
    loaded = type(scorer).load(tmp_path / "scorer")
    assert [one.value for one in loaded.score(*asked)] == pytest.approx([one.value for one in scorer.score(*asked)])
