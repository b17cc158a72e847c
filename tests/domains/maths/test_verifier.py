"""Right and wrong answers, and the cases where nobody can tell."""

import pytest

from operant.domains.text.maths import symbolic
from operant.domains.text.maths.equal import Equality
from operant.domains.text.maths.symbolic import Symbolic
from operant.domains.text.maths.verifier import AnswerVerifier, Reading
from operant.errors import BadValue, MissingExtra, UnknownName
from operant.meter import metered
from operant.sandbox import Limits
from operant.schema import Answer, Prompt, Scorer


def prompt(reference, column="target"):
    return Prompt(id="p", content="how many?", columns={column: reference})


def scores(reference, *texts, **settings):
    answers = [Answer(value=text) for text in texts]
    return [one.value for one in AnswerVerifier(**settings).score([prompt(reference)] * len(texts), answers)]


@pytest.mark.parametrize(
    "answer, reference, same",
    [
        ("18", "18.0", True),
        ("36/2", "18", True),
        ("1 1/2", "1.5", True),
        ("$18.00", "18 dollars", True),
        ("2 + 3 = 5", "5", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("50%", "0.05", False),
        ("19", "18", False),
        ("eighteen", "18", False),
        ("", "18", False),
        ("Yes.", "yes", True),
        ("0.333", "1/3", False),  # exact means exact
    ],
)
def test_equality(answer, reference, same):
    assert Equality()(answer, reference).same is same


def test_a_reference_that_cannot_be_read_is_no_verdict():
    verdict = Equality()("18", "about eighteen")
    assert verdict.same is None and "the reference cannot be read: 'about eighteen' is no number" in verdict.why


def test_stricter_settings():
    assert Equality(percent="exact")("50%", "50").same is False
    assert Equality(units=False)("18 eggs", "18").same is False
    with pytest.raises(BadValue, match="percent is 'no'"):
        Equality(percent="no")
    with pytest.raises(BadValue, match="symbolic is 'maybe'"):
        Equality(symbolic="maybe")


def test_scores_and_why():
    assert isinstance(AnswerVerifier(), Scorer) and AnswerVerifier.scale == "probability"
    assert scores("3 * 6 = 18\n#### 18", "so 18", "#### 18", "#### 17", "no idea") == [1.0, 1.0, 0.0, 0.0]
    assert scores("\\boxed{\\frac{1}{2}}", "0.5", "\\boxed{2/4}") == [1.0, 1.0]
    asked = [Prompt(id="p", content="?"), prompt("many"), prompt([])]
    found = AnswerVerifier().score(asked, [Answer(value="1")] * 3)
    assert [one.value for one in found] == [None, None, None]
    assert "none of the columns" in found[0].why == found[2].why and "cannot be read" in found[1].why


def test_a_worked_solution_is_a_reference_too():
    # GSM8K's published model solutions end so, and a command line cannot say how references are read.
    assert scores("She sells 9.\n9 * 2 = <<9*2=18>>18\nA: 18", "A: 18", "A: 9") == [1.0, 0.0]


def test_the_answer_column_is_the_second_choice():
    asked = Prompt(id="p", content="?", columns={"answer": "2", "target": "1"})
    assert AnswerVerifier().score([asked], [Answer(value="1")])[0].value == 1.0
    assert AnswerVerifier().score([prompt("2", "answer")], [Answer(value="2")])[0].value == 1.0


def test_each_answer_is_one_call():
    with metered() as cost:
        scores("18", "1", "2", "3")
    assert cost.verifier_calls == 3


def test_compare():
    right, wrong = Answer(value="18"), Answer(value="17")
    asked = [prompt("18")] * 4 + [prompt("many")]
    left, other = [right, wrong, right, wrong, right], [wrong, right, right, wrong, wrong]
    assert AnswerVerifier().compare(asked, left, other) == [1.0, 0.0, 0.5, 0.5, None]


def test_saved_and_loaded(tmp_path):
    made = AnswerVerifier(equality=Equality(percent="exact"), reading=Reading(answers=("last",)))
    made.save(tmp_path)
    again = AnswerVerifier.load(tmp_path)
    assert (again.equality, again.reading) == (made.equality, made.reading)
    with pytest.raises(UnknownName, match="no style of answer named 'first'"):
        Reading(answers=("first",))


def test_math_verify_is_asked_for_by_name(monkeypatch):
    monkeypatch.setattr(symbolic, "find_spec", lambda name: None)
    assert Equality(symbolic="if installed")("x", "y").same is None
    with pytest.raises(MissingExtra, match=r"math-verify is not installed; run: pip install 'operant\[maths\]'"):
        Equality(symbolic="always")("x", "y")


@pytest.mark.skipif(not symbolic.installed(), reason="math-verify is not installed")
def test_math_verify_in_its_process():
    equality, asked = Equality(symbolic="always"), Symbolic(Limits(seconds=3.0, memory_mb=2048, start_seconds=60.0))
    assert equality("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", symbolic=asked).same is True
    assert equality("x + 2", "x + 1", symbolic=asked).same is False
    late = equality("9^{9^{9^9}}", "\\sqrt{2}", symbolic=asked)
    assert late.same is False and "the answer cannot be checked: stopped after 3 s" in late.why
    assert equality("9^{9^{9^9}}", "18", symbolic=asked).same is False
