"""Where the answer of a text stands."""

import time

import pytest

from operant.domains.text.maths.answers import TEXT, final_answer
from operant.errors import UnknownName


@pytest.mark.parametrize(
    "text, answer",
    [
        ("2 + 3 = 5\n#### 18\nthanks", "18"),
        ("#### 1\n#### 2", "2"),
        ("so \\boxed{\\frac{1}{2}} holds", "\\frac{1}{2}"),
        ("the \\boxed{7} and 8", "7"),
        ("the \\boxed{7", "7"),  # never closed: the last number it is
        ("The answer is 18. Confidence score: 0.95", "18"),
        ("The answer is 18 eggs, which is 9 pairs.", "18 eggs"),
        ("Answer: **42**", "42"),
        ("She makes 3\nA: 12\n", "12"),
        ("it is $1,200.50.", "$1,200.50"),
        ("16-3=13", "13"),
        ("between 3 and -4", "-4"),
        ("a share of 3/4", "3/4"),
        ("in all 50 %", "50 %"),
        ("it takes 5 s (confidence: 0.9)", "5"),
        ("it takes 5 s. My confidence is 90%.", "5"),
        ("I get <<3+4=7>>7 eggs <<1+1=2>>", "7"),
        ("room B12", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_final_answers(text, answer):
    assert final_answer(text) == answer


def test_styles_are_tried_in_order():
    text = "the answer is 1 ; \\boxed{2}\n#### 3\n4"
    assert final_answer(text) == "3"
    assert final_answer(text, styles=("boxed", "last")) == "2"
    assert final_answer(text, styles=("last",)) == "4"
    assert final_answer("no mark, 4", styles=("hash", "boxed")) is None
    with pytest.raises(UnknownName, match="no style of answer named 'lst'; did you mean 'last'"):
        final_answer(text, styles=("lst",))


@pytest.mark.parametrize(
    "unit", ["1,234", "<<", "confidence ", "\\boxed{", "answer is ", "####", "1", "$-", ".5", "A:\n"]
)
def test_long_texts_take_no_time(unit):
    text = (unit * (2 * TEXT))[: 2 * TEXT]
    started = time.process_time()
    final_answer(text)
    assert time.process_time() - started < 0.5
