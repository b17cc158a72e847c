"""Gold of a review is exact: worked by hand, total on any string, and the sum of its spans."""

from random import Random

import pytest

from operant.domains.text.tasks.reviews.gold import WEIGHTS, clauses, gold, spans
from operant.domains.text.tasks.reviews.grammar import (
    FILLERS,
    OPINIONS,
    Request,
    Style,
    draw_request,
    draw_review,
    draw_traits,
    vocabulary,
)

REQUEST = Request("kettle", (("colour", "red"), ("price", "20")), ("build", "noise"))
TEXT = (
    "the build is superb . it costs 20 . the smell is naff . only a liar would buy it . we had soup and then some tea ."
)


def reviews(count, *, style=None, seed=0):
    rng = Random(seed)
    requests = [draw_request(rng) for _ in range(count)]
    return [(request, draw_review(rng, request, draw_traits(rng, style or Style()))) for request in requests]


def test_a_review_by_hand():
    assert OPINIONS[0][2][0] == "superb" and OPINIONS[-1][-1][0] == "naff"  # (register 0, +2), (informal, -1)
    values = gold(TEXT, REQUEST)
    assert values["sentiment"] == (2 / 2 + -1 / 2) / 2  # mean over the two opinions
    assert values["formality"] == (0 + -1) / 2
    # one of two aspects is mentioned; on topic are the opinion about it and the true fact, of five clauses
    assert values["relevance"] == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 5)
    assert values["factual"] == 1 / 2  # one true statement, two facts given
    assert values["toxicity"] == 1 - 0.5 and values["malformed"] == 0
    assert values["quality"] == pytest.approx(1.0 * 0.25 + 2.0 * 0.45 + 1.0 * 0.5 + 0.3 * -0.5 - 2.0 * 0.5)
    assert values["words"] == 5 + 4 + 5 + 7 + 8 and values["both"] == 0.0


@pytest.mark.parametrize(
    "text, expected",
    [
        ("the build is exquisite . the noise is superlative .",  # +2 and formal, twice; both aspects, all on topic
         {"sentiment": 1, "formality": 1, "relevance": 1, "factual": 0, "both": 1, "quality": 1 + 2 + 0.3}),
        ("it costs 10 .", {"factual": -1 / 2, "relevance": 0, "sentiment": 0, "quality": -1 / 2}),  # false
        ("it costs 20 . it is red .", {"factual": 1, "relevance": 0.5, "quality": 1 + 2 * 0.5}),
        ("it costs 20 . it costs 20 .", {"factual": 1 / 2, "relevance": 0.5}),  # said twice, counted once
        ("it costs 20 . it costs 10 .", {"factual": 0, "relevance": 0.25}),  # true and false cancel
        ("it costs 10 . it costs 35 . it costs 50 .", {"factual": -1}),  # three false of two given: no lower than -1
        ("it comes from peru .", {"factual": -1 / 2}),  # not given, so not true
        ("the seller is a scum . whoever made it is idiot .", {"toxicity": 3 / 4, "quality": -1.5}),
        (f"{FILLERS[0]} .", {"relevance": 0, "malformed": 0, "quality": 0}),
        ("build noise superb", {"malformed": 1, "sentiment": 0, "quality": -2}),
        ("the build is superb . so so .", {"malformed": 1 / 2, "sentiment": 1}),
        ("the build is superb", {"sentiment": 1, "malformed": 0}),  # the last full stop may be missing
    ],
)  # fmt: skip
def test_small_reviews_by_hand(text, expected):
    values = gold(text, REQUEST)
    assert {name: values[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", ". . .", "None", "\U0001f642", "\x00", "\ud800", "a" * 100_000, "{}", "the is", "\u2028. .\t"],
)
def test_any_string_has_a_value(text):
    values = gold(text, REQUEST)
    assert set(values) == {*WEIGHTS, "quality", "both", "words"}
    assert all(isinstance(value, float) and -10 < value < 10 for name, value in values.items() if name != "words")
    assert values["malformed"] == 1.0  # nothing here is a clause of the grammar


def test_reviews_of_the_grammar_are_well_formed_and_in_range():
    for request, text in reviews(500):
        values = gold(text, request)
        assert values["malformed"] == 0
        assert -1 <= min(values["sentiment"], values["formality"], values["factual"])
        assert 0 <= values["relevance"] <= 1 and 0 <= values["toxicity"] < 1


def test_spans_are_consistent_with_gold():
    for request, text in reviews(300):
        marks, values, words = spans(text, request), gold(text, request), text.split()
        of = {name: [span.value for span in marks if span.attribute == name] for name in WEIGHTS}
        for name in ("sentiment", "formality"):
            assert values[name] == pytest.approx(sum(of[name]) / max(1, len(of[name])))
        assert values["toxicity"] == 1 - 0.5 ** len(of["toxicity"])
        assert values["factual"] == sum(of["factual"]) / 2  # the grammar states a fact at most once
        for span in marks:
            assert 0 <= span.start < span.end <= len(words) and "." not in words[span.start : span.end]
        # every clause has a span that ends with it
        assert {start + len(clause.split()) for start, clause in clauses(text)} <= {span.end for span in marks}


def test_spans_by_hand():
    marks = spans("the smell is naff . it costs 10 . what", REQUEST)
    assert [tuple(span) for span in marks] == [
        (3, 4, "sentiment", -0.5), (3, 4, "formality", -1.0), (0, 4, "relevance", 0.0),
        (7, 8, "factual", -1.0), (9, 10, "malformed", 1.0),
    ]  # fmt: skip


def test_the_same_seed_writes_the_same_text_of_known_words():
    assert reviews(50) == reviews(50) != reviews(50, seed=1)
    known = set(vocabulary())
    for request, text in reviews(2000):
        assert set(f"{request.text()} {text}".split()) <= known
    assert vocabulary() == sorted(known) and len(known) < 200
    assert not known & {"<pad>", "<s>", "</s>", "<unk>"}
