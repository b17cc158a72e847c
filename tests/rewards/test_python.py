"""A reward function of the user's own is called as TRL calls it, and what it returns is looked at."""

from __future__ import annotations

import sys
from math import exp, inf, nan

import numpy as np
import pytest

from operant.errors import OperantError, UnknownName
from operant.rewards.python import FunctionScorer
from operant.schema import Answer, Prompt, Scorer

SOURCE = """
seen = []
given = None

def record(**arguments):
    seen.append(arguments)
    return [1.0] * len(arguments["completions"])

def give(prompts, completions, **columns):
    return given

def brevity(prompts, completions, **columns):
    return [-len(text) for text in completions]

def crash(prompts, completions, **columns):
    raise ZeroDivisionError("in the reward")

async def later(prompts, completions, **columns):
    return []

number = 3
"""
PROMPTS = [Prompt(id="p", content="a", columns={"level": 1}), Prompt(id="q", content="b", columns={"answer": "7"})]
ANSWERS = [Answer(value="x"), Answer(value="yyy")]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module beside the user, under a name that no other test has loaded."""
    name = f"mine_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def seen(module):
    return sys.modules[module].seen[-1]


def test_the_function_of_a_module_beside_the_user_is_found(module):
    before = list(sys.path)
    scorer = FunctionScorer(f"{module}:brevity")
    assert [score.value for score in scorer.score(PROMPTS, ANSWERS)] == [-1.0, -3.0]
    assert sys.path == before and isinstance(scorer, Scorer)


def test_columns_arrive_as_lists_with_none_where_a_row_lacks_one(module):
    FunctionScorer(f"{module}:record").score(PROMPTS, ANSWERS)
    assert seen(module) == {
        "prompts": ["a", "b"],
        "completions": ["x", "yyy"],
        "level": [1, None],
        "answer": [None, "7"],
    }


def test_columns_that_would_clash_are_left_out_as_in_trl(module):
    prompt = Prompt(id="p", content="a", columns={"prompt": "old", "completion": "old", "completions": "old"})
    FunctionScorer(f"{module}:record").score([prompt], ANSWERS[:1])
    assert seen(module) == {"prompts": ["a"], "completions": ["x"]}


def test_conversations_come_as_messages(module):
    messages = ({"role": "user", "content": "hi"},)
    FunctionScorer(f"{module}:record").score([Prompt(id="p", content=messages)], ANSWERS[:1])
    assert seen(module)["prompts"] == [[{"role": "user", "content": "hi"}]]
    assert seen(module)["completions"] == [[{"role": "assistant", "content": "x"}]]


def scores(module, given):
    scorer = FunctionScorer(f"{module}:give")
    sys.modules[module].given = given
    return scorer.score(PROMPTS, ANSWERS)


def test_none_is_unknown_and_says_who_said_so(module):
    known, unknown = scores(module, [1, None])
    assert (known.value, unknown.value) == (1.0, None) and f"{module}:give" in unknown.why


def test_numbers_of_numpy_and_true_are_numbers(module):
    assert [one.value for one in scores(module, [np.float32(0.5), True])] == [0.5, 1.0]


@pytest.mark.parametrize("given", [[1.0, nan], (0.0, inf), [1.0, "2"], [1.0, [2.0]]])
def test_what_is_no_finite_number_names_its_row(given, module):
    with pytest.raises(OperantError, match=r"give returned .* at place 1 \(prompt 'q'\)"):
        scores(module, given)


@pytest.mark.parametrize("given, told", [([1.0], "1 rewards for 2 answers"), ([1.0] * 3, "3 rewards for 2"),
                                         (None, "NoneType"), (1.0, "float"), ("ab", "str"),
                                         (np.ones(2), "ndarray")])  # fmt: skip
def test_what_is_no_list_of_one_each_is_refused(given, told, module):
    with pytest.raises(OperantError, match=told):
        scores(module, given)


def test_a_crash_stops_the_run_and_names_the_function(module):
    with pytest.raises(ZeroDivisionError, match="in the reward") as caught:
        FunctionScorer(f"{module}:crash").score(PROMPTS, ANSWERS)
    assert f"{module}:crash" in caught.value.__notes__[0]


def test_compare_is_the_sigmoid_of_the_difference(module):
    # Scores -1 and -3: sigmoid(2).
    scorer = FunctionScorer(f"{module}:brevity")
    assert scorer.compare(PROMPTS[:1], ANSWERS[:1], ANSWERS[1:]) == [pytest.approx(1 / (1 + exp(-2)))]


def test_a_wrong_name_names_the_nearest(module):
    with pytest.raises(UnknownName, match="did you mean 'brevity'"):
        FunctionScorer(f"{module}:brevty")
    for name in ("no_such_module_here:f", module, f"{module}:number", f"{module}:later"):
        with pytest.raises(OperantError):
            FunctionScorer(name)


def test_a_module_that_lacks_its_own_import_says_which(module, tmp_path):
    (tmp_path / "broken_rewards.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        FunctionScorer("broken_rewards:f")


def test_a_saved_scorer_does_not_choose_what_runs(module, tmp_path):
    FunctionScorer(f"{module}:brevity").save(tmp_path / "saved")
    again = FunctionScorer.load(tmp_path / "saved", name=f"{module}:brevity")
    assert again.score(PROMPTS, ANSWERS)[0].value == -1.0
    with pytest.raises(OperantError, match="brevity.*not.*crash"):
        FunctionScorer.load(tmp_path / "saved", name=f"{module}:crash")


def test_no_rows_call_nothing(module):
    assert FunctionScorer(f"{module}:crash").score([], []) == []
