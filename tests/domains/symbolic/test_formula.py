"""The task, its answers on a page, and what a formula is worth."""

import json

import numpy as np
import pytest

from operant.domains.symbolic.constant import Constant
from operant.domains.symbolic.expression import compute
from operant.domains.symbolic.grammar import read
from operant.domains.symbolic.metrics import fit, measured
from operant.domains.symbolic.represent import dump, load, properties, show
from operant.domains.symbolic.samples import Samples
from operant.domains.symbolic.tasks.formula.targets import TARGETS
from operant.domains.symbolic.tasks.formula.task import Formulas, Knobs, names
from operant.errors import BadValue, NotApplicable, OperantError
from operant.schema import Answer, Decoding

TASK = Formulas()


def answer(text, variables=("x1", "x2")):
    return Answer(value=read(text, variables=list(variables)), finish="stop")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_target_is_defined_where_its_points_are_and_recovers_itself(target):
    points = np.random.default_rng(0).uniform(target.low, target.high, size=(50, target.variables))
    formula = read(target.formula, variables=names(target))
    assert np.isfinite(compute(formula, points)).all()
    assert measured(formula, formula, points)["recovered"].value == 1


def test_points_of_validation_targets_are_drawn_anew_for_every_seed_and_test_prompts_stay():
    other = Formulas(seed=1)
    assert other.prompts("test") == TASK.prompts("test")
    assert [prompt.id for prompt in other.prompts("valid")] == [prompt.id for prompt in TASK.prompts("valid")]
    assert other.prompts("valid")[0].content != TASK.prompts("valid")[0].content


def test_noise_is_a_share_of_the_values_spread():
    plain, noisy = (Formulas(knobs=Knobs(points=4000, noise=noise)).prompts("test")[0].content for noise in (0.0, 0.1))
    assert (noisy.values - plain.values).std() == pytest.approx(0.1 * plain.values.std(), rel=0.05)


def test_the_target_is_hidden_from_who_answers():
    assert "target" in TASK.prompts("test")[0].columns
    assert TASK.hidden == ("target",)


def test_gold_by_hand():
    (prompt,) = [one for one in TASK.prompts("test") if one.columns["name"] == "nguyen-1"]
    right, wrong = answer("x1*(1 + x1*(1 + x1))", ["x1"]), answer("x1", ["x1"])
    gold = TASK.gold([prompt, prompt], [right, wrong])
    assert [one.value for one in gold["recovered"]] == [1, 0]
    assert gold["fit"][0].value == pytest.approx(1)
    assert 0 < gold["fit"][1].value < 1
    assert [one.value for one in gold["tokens"]] == [9, 1]


def test_the_mean_explains_nothing_and_what_is_undefined_explains_nothing():
    points = np.array([[0.5], [1.5]])
    assert fit((1.0,), points, np.array([0.0, 2.0])) == 0
    assert fit(("log", "sub", "x1", 1.0), points, np.array([0.0, 2.0])) == 0
    # off by 1/2 at both points; the variance is 1
    assert fit(("x1",), points, np.array([0.0, 2.0])) == 1 - 0.25 / 1


def test_base_answers_with_the_mean():
    prompts = TASK.prompts("valid")
    (first, *_) = Constant().answer(prompts, n=2, decoding=Decoding(), seed=0)
    assert [one.value for one in first] == [(prompts[0].content.values.mean(),)] * 2


def test_validation_targets_can_be_verified_and_test_targets_cannot():
    prompts = TASK.prompts("valid")
    assert TASK.verify(prompts[:1], [answer(prompts[0].columns["target"])])[0].value == pytest.approx(1)
    with pytest.raises(OperantError, match="test target"):
        TASK.verify(TASK.prompts("test")[:1], [answer("x1")])
    with pytest.raises(NotApplicable, match="formula has no judged answers"):
        TASK.judged("train")


@pytest.mark.parametrize(
    "points, values, wanted",
    [
        ([[1.0], [2.0]], [1.0, np.nan], "values"),
        ([[1.0], [np.inf]], [1.0, 2.0], "points"),
        ([[1.0], [2.0]], [3.0, 3.0], "values"),
        ([[1.0], [2.0]], [3.0], "values"),
        ([[], []], [1.0, 2.0], "points"),
        ([1.0, 2.0], [1.0, 2.0], "points"),
    ],
)
def test_samples_that_no_formula_can_be_found_for_are_refused(points, values, wanted):
    with pytest.raises(BadValue, match=wanted):
        Samples(np.array(points), np.array(values))


def test_samples_print_as_a_table():
    printed = str(TASK.prompts("test")[8].content)
    assert printed.splitlines()[0].split() == ["x1", "x2", "y"]
    assert "12 more" in printed


def test_what_is_dumped_is_loaded():
    one = answer("x1^2 - 3*x2")
    assert load(json.loads(json.dumps(dump(one)))) == one
    assert dump(one)["text"] == "x1^2 - 3*x2"


def test_a_stored_formula_of_unknown_tokens_is_refused():
    with pytest.raises(BadValue, match="token of a formula"):
        load({"tokens": ["__import__"], "finish": "stop"})


@pytest.mark.parametrize(
    "text, part",
    [
        ("x1/x2", "<mfrac>"),
        ("x1^2", "<msup>"),
        ("sqrt(x1)", "<msqrt>"),
        ("exp(x1)", "<mi>e</mi>"),
        ("(x1 + 1)*x2", "<mo>(</mo>"),
        ("sin(x1) - 2", "<mi>sin</mi>"),
    ],
)
def test_a_formula_is_typeset(text, part):
    drawn = show(answer(text))
    assert drawn.startswith("<math") and part in drawn


def test_properties_by_hand():
    about = properties([answer("x1"), answer("x1"), answer("x1 + x2")])
    assert about.length == (1.0, 1.0, 3.0)
    assert about.diversity == {"different": 2 / 3}
