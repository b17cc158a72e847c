"""RSRM's parts: rewards, legal tokens, the double table, shared forms, constants, and the search as a whole."""

import math

import numpy as np
import pytest

from operant.domains.symbolic.expression import PLACEHOLDER, arity, complete, compute, height
from operant.domains.symbolic.grammar import read
from operant.domains.symbolic.samples import Samples
from operant.domains.symbolic.sums import terms
from operant.errors import BadValue, UnknownName
from operant.methods.science.rsrm import Config, Search, discover
from operant.methods.science.rsrm.forms import Form, Ranked, form_of
from operant.methods.science.rsrm.genetic import Breeding, crossed, mutated, random_formula, refine
from operant.methods.science.rsrm.growing import Growing, Rules
from operant.methods.science.rsrm.scoring import Found, Scoring, error, merged, reward
from operant.methods.science.rsrm.table import Place, Searched, Table, prior

VOCABULARY = ("add", "mul", "exp", "log", "cos", "sin", "x1", "C")
RULES = Rules(vocabulary=VOCABULARY)
LINE = Samples(np.array([[1.0], [2.0], [4.0]]), np.array([3.0, 5.0, 9.0]))  # 2 x + 1


def formula(text):
    return read(text, variables=["x1", "x2"])


def ranked(*texts, errors=None):
    return [Ranked(Found(formula(text), off), 1) for text, off in zip(texts, errors or [1.0] * len(texts), strict=True)]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_rewards_by_hand():
    assert reward(7, 0.0) == pytest.approx(0.99**7) == pytest.approx(0.93207, abs=1e-5)
    assert reward(7, 1.0) == pytest.approx(0.99**7 / 2) == pytest.approx(0.46603, abs=1e-5)
    assert reward(5, 0.0) == 0
    assert reward(7, math.inf) == 0


def test_errors_by_hand():
    given, wanted = np.array([1.0, 2.0]), np.array([4.0, 6.0])  # off by 3 and 4
    assert error(given, wanted, measure="rmse") == pytest.approx(math.sqrt((9 + 16) / 2))
    assert error(given, wanted, measure="squared sum") == (3 + 4) ** 2 / 2
    assert error(np.array([np.nan, 2.0]), wanted, measure="rmse") == math.inf


def allowed(*prefix, **limits):
    growing = Growing(Rules(vocabulary=VOCABULARY, **limits), prefix)
    return {token for token, legal in zip(VOCABULARY, growing.legal(), strict=True) if legal}


def test_no_wave_at_the_root_or_inside_a_wave():
    assert allowed() == set(VOCABULARY) - {"sin", "cos"}
    assert {"sin", "cos"} <= allowed("add")
    assert not {"sin", "cos"} & allowed("add", "sin", "mul")
    assert {"sin", "cos"} <= allowed("add", "sin", "x1")  # the wave is over


def test_no_logarithm_directly_under_an_exponential_nor_the_other_way():
    assert "log" not in allowed("exp") and "exp" not in allowed("log")
    assert "log" in allowed("exp", "add")


def test_only_leaves_below_the_greatest_height():
    deep = ("exp",) * 6
    assert allowed(*deep[:5]) > {"x1", "C"}
    assert allowed(*deep) == {"x1", "C"}


def test_constants_are_few():
    assert "C" not in allowed("add", "C", max_constants=1)


@pytest.mark.parametrize("seed", range(30))
def test_formulas_that_grow_legally_are_whole_and_short(seed):
    found = random_formula(Rules(vocabulary=VOCABULARY, max_tokens=9), rng(seed))
    assert complete(found) and len(found) <= 9 and height(found) <= 6


def test_the_prior_is_uniform_over_legal_tokens_at_first_and_0_elsewhere():
    legal = np.array([True, False, True, True])
    assert prior(Place(4), legal).tolist() == [1 / 3, 0, 1 / 3, 1 / 3]
    place = Place(4)
    place.values[:] = [[math.log(2), 9, 0, 0], [math.log(2), 9, 0, 0]]
    assert prior(place, legal) == pytest.approx([4 / 6, 0, 1 / 6, 1 / 6])


def table(**settings):
    return Table(RULES, Searched(**settings), rng())


def test_one_step_of_the_table_by_hand():
    one, two = Place(2), Place(2)
    table(rate=0.1).learn(one, 0, 1.0, None)
    assert one.values.sum() == pytest.approx(0.1 * 1)  # in one of the two tables
    assert one.values.max() == pytest.approx(0.1)
    two.values[:] = [[2.0, 0.0], [2.0, 1.0]]  # either table's greatest value is 2
    other = Place(2)
    table(rate=0.1).learn(other, 1, -0.1, two)
    assert other.values[:, 1].max() == pytest.approx(0.1 * (-0.1 + 0.95 * 2))  # .18


def test_a_table_learns_from_the_other_one():
    following, place = Place(1), Place(1)
    following.values[:] = [[5.0], [7.0]]
    searching = table(rate=1.0, discount=1.0)
    searching.learn(place, 0, 0.0, following)
    learnt = int(place.values[:, 0].argmax())
    assert place.values[learnt, 0] == following.values[1 - learnt, 0]


def test_the_maximum_goes_up_and_the_whole_path_is_told():
    searching = table()
    worths = iter([0.2, 0.9, 0.1])
    for _ in range(3):
        searching.roll_out((), lambda tokens: next(worths))
    root = searching.place(())
    assert root.best.max() == 0.9
    assert root.visits.sum() == 3


def test_every_legal_token_is_tried_before_the_table_is_asked():
    searching = table(tries=2, eps=1.0)
    place, legal = Place(3), np.array([True, True, False])
    place.values[:] = [[50.0, 0, 0]] * 2
    place.visits[:] = [2, 1, 0]
    assert {searching.choose(place, legal) for _ in range(20)} == {1}
    place.visits[:] = [2, 2, 0]
    assert {searching.choose(place, legal) for _ in range(20)} == {0}


@pytest.mark.parametrize("settings", [{"eps": 0.0}, {"tries": 10**9}, {"selection": "random"}])
def test_without_the_table_its_values_change_nothing(settings):
    # eps = 0, endless first tries, or random selection: pure search
    place, legal = Place(3), np.array([True, True, True])
    place.visits[:] = 20
    drawn = [table(**settings).choose(place, legal)]
    place.values[:] = [[50.0, 0, 0]] * 2
    assert [table(**settings).choose(place, legal)] == drawn


def test_upper_confidence_by_hand():
    searching, place = table(selection="uct", weight=1.0), Place(3)
    place.visits[:] = [8, 2, 0]
    legal = np.array([True, True, False])
    # sqrt(ln 10 / 8) = .54 and sqrt(ln 10 / 2) = 1.07, so .6 + .54 = 1.14 against .0 + 1.07
    place.values[:] = [[0.6, 0.0, 0.0]] * 2
    assert searching.choose(place, legal) == 0
    place.values[:] = [[0.5, 0.0, 0.0]] * 2
    assert searching.choose(place, legal) == 1
    assert searching.choose(place, np.array([True, True, True])) == 2  # what was never tried comes first


def test_the_sum_of_shared_terms():
    # x^3 stands in 3 of 3, x^2 in 2, x in 2, sin x in 1; the threshold is 1.5
    form = form_of(ranked("x1^3 + x1^2 + x1", "x1^3 + x1", "x1^3 + x1^2 + sin(x1)"))
    assert form.operator == "add"
    assert {str(term) for term in terms(form.part)} == {"x1**3", "x1**2", "x1"}


def test_formulas_far_from_the_best_are_not_asked_beyond_the_second():
    form = form_of(ranked("x1^3 + cos(x1)", "x1^3 + x1", "x1 + sin(x1)", errors=[1.0, 2.0, 100.0]))
    assert {str(term) for term in terms(form.part)} == {"x1**3", "cos(x1)", "x1"}  # 1 of 2 is half; sin x is not asked


def test_a_linear_formula_with_a_constant_suggests_a_product():
    assert form_of(ranked("sin(x1)", "2*x1 + 3")).operator == "mul"
    assert form_of(ranked("sin(x1)", "x1*x1")).operator != "mul"


def test_powers_of_one_short_part_suggest_a_power():
    assert form_of(ranked("x1^2 + x1^3")) == Form("pow", ("x1",))


def test_nothing_is_frozen_when_nothing_is_left_to_look_for():
    assert form_of(ranked("x1^2 + x1", errors=[0.0])) is None
    assert form_of([]) is None


def test_a_form_around_the_rest_is_the_target():
    # target A + F0: F0 in the form A + has the error that F0 has alone on the target F0
    points = np.linspace(0.5, 2, 7)[:, None]
    part, rest = formula("x1^2"), formula("sin(x1)")
    whole = compute(Form("add", part).around(rest), points)
    assert whole == pytest.approx(points[:, 0] ** 2 + np.sin(points[:, 0]))
    guess = compute(formula("x1"), points)
    inside = compute(Form("add", part).around(formula("x1")), points)
    assert error(inside, whole, measure="rmse") == pytest.approx(error(guess, np.sin(points[:, 0]), measure="rmse"))


@pytest.mark.parametrize(
    "tokens, joined",
    [
        (("mul", "C", "C"), ("C",)),
        (("sin", "C"), ("C",)),
        (("add", "C", "add", "C", "x1"), ("add", "C", "x1")),
        (("mul", "mul", "x1", "C", "C"), ("mul", "x1", "C")),
        (("add", "C", "mul", "C", "x1"), ("add", "C", "mul", "C", "x1")),
        (("add", "x1", "x1"), ("add", "x1", "x1")),
    ],
)
def test_constants_are_joined(tokens, joined):
    assert merged(tokens) == joined


def scoring(evaluations=10_000, *, fit=True):
    return Scoring(LINE, evaluations, "rmse", fit, rng())


def test_constants_are_fitted():
    found = scoring().score(("add", "mul", "C", "x1", "C"))
    assert found.error < 1e-4
    assert sorted(token for token in found.tokens if isinstance(token, float)) == pytest.approx([1, 2], abs=1e-3)


def test_without_fitting_constants_are_one():
    found = scoring(fit=False).score(("add", "C", "x1"))
    assert found.tokens == ("add", 1.0, "x1")
    assert found.error == pytest.approx(math.sqrt((1**2 + 2**2 + 4**2) / 3))


def test_evaluations_are_counted_once_a_formula():
    counted = scoring(10)
    for _ in range(3):
        counted.score(("x1",))
    assert counted.evaluations == 9
    assert counted.counts["x1",] == 3


def test_a_search_with_nothing_new_to_find_ends():
    config = Config(operators=("sin",), constants=False, genetic=False, max_tokens=4, rollouts=3)  # few formulas
    found = discover(np.linspace(-1, 1, 9)[:, None], np.exp(np.linspace(-1, 1, 9)), config=config, evaluations=50)
    assert 0 < found.evaluations < 50


def test_the_best_is_kept_and_the_shorter_of_equals():
    kept = scoring()
    for text in ("x1 + x1 + 1 + x1 - x1", "x1 + x1 + 1", "x1"):
        kept.score(formula(text))
    assert kept.best.tokens == formula("x1 + x1 + 1")


def test_crossing_exchanges_parts_and_nothing_is_lost():
    one, other = ("add", "x1", "sin", "x1"), ("mul", "C", "log", "x1")
    for seed in range(20):
        children = crossed(one, other, rng(seed))
        assert all(map(complete, children))
        assert sorted(map(str, (*children[0], *children[1]))) == sorted(map(str, (*one, *other)))


def test_a_mutation_is_a_whole_formula():
    one = ("add", "x1", "sin", "x1")
    children = {mutated(one, RULES, rng(seed)) for seed in range(30)}
    assert all(map(complete, children)) and len(children) > 5


def test_breeding_improves_and_stops_when_the_evaluations_are_spent():
    fit = scoring(600, fit=False)
    rules = Rules(vocabulary=("add", "mul", "x1", "C"))
    refine([("x1",)], fit.score, rules, Breeding(population=30, generations=60), spent=lambda: fit.spent, rng=rng())
    assert fit.evaluations <= 0 or fit.best.error < 1e-9
    assert fit.best.error < error(LINE.points[:, 0], LINE.values, measure="rmse")


def test_a_square_is_discovered_with_what_it_took():
    points = np.linspace(-1, 1, 20)[:, None]
    config = Config(constants=False, population=40, generations=5, rollouts=20, tolerance=1e-9)
    found = discover(points, points[:, 0] ** 2 + points[:, 0], config=config, evaluations=8000, seed=0)
    assert str(found.expression.expand()) == "x1**2 + x1"
    assert 0 < found.evaluations <= 8000


def test_the_same_seed_finds_the_same():
    found = [Search(Config(population=10, generations=2, rollouts=5), LINE, 200, 3).run() for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize("bad", [{"eps": 2.0}, {"rollouts": 0}, {"population": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(BadValue):
        Config(**bad)


def test_an_unknown_operator_is_named():
    with pytest.raises(UnknownName, match="sine"):
        Config(operators=("add", "sine"))


def test_values_that_no_formula_is_needed_for_are_refused():
    with pytest.raises(BadValue, match="values that differ"):
        discover([[1.0], [2.0]], [3.0, 3.0])


def test_the_vocabulary_has_every_variable_and_the_placeholder():
    rules = Config().rules(2)
    assert rules.vocabulary[-3:] == ("x1", "x2", PLACEHOLDER)
    assert [arity(token) for token in rules.vocabulary[:5]] == [2, 2, 2, 2, 1]
