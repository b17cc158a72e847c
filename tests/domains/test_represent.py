"""A text answer survives the disk, and on a page it is text and nothing else."""

import json

import pytest

from operant.domains.text.represent import dump, load, show
from operant.errors import BadValue
from operant.schema import Answer

ANSWERS = [
    Answer(value="fine .", tokens=(4, 5, 2), logps=(-0.1, -1 / 3, -2e-9)),
    Answer(value="cut", finish="length", tokens=(4,), logps=(-0.5,)),
    Answer(value="\u00e9 \U0001f642 \u2028 \n </script>"),
    Answer(value="", tokens=(), logps=()),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_dumped_is_loaded(answer):
    assert load(json.loads(json.dumps(dump(answer), allow_nan=False))) == answer


def test_the_trace_stays_behind():
    assert load(dump(Answer(value="a", trace=object()))) == Answer(value="a")


def test_text_alone_is_an_answer():
    assert load({"text": "a"}) == Answer(value="a")
    for stored, name in (({}, "text"), ({"text": 3}, "text"), ({"text": "a", "finish": "eos"}, "finish")):
        with pytest.raises(BadValue, match=name):
            load(stored)
    with pytest.raises(BadValue, match="value of a text answer is 3"):
        dump(Answer(value=3))


def test_text_is_shown_as_text():
    hostile = Answer(value='<script>alert("1")</script> & \'')
    assert show(hostile) == ('<p class="answer">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#x27;</p>')
    assert show(ANSWERS[1]) == '<p class="answer">cut<span class="cut" title="cut at the maximum length">…</span></p>'


def test_what_steers_or_cannot_be_encoded_is_replaced():
    shown = show(Answer(value="a\x1b[2J\x00b\u202ec\ud800d\n\te\u200df"))
    assert shown == '<p class="answer">a\ufffd[2J\ufffdb\ufffdc\ufffdd\n\te\u200df</p>'
    shown.encode("utf-8")
