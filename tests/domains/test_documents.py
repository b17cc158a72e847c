"""Documents of `reviews`: what they are made of, who judges their clauses, and how much a source says about a text."""

from collections import Counter
from dataclasses import replace
from math import log
from random import Random
from statistics import fmean

import pytest

from operant.compare.bench import View
from operant.domains.text.tasks.reviews import Knobs, Reviews
from operant.domains.text.tasks.reviews.documents import CLEAN, LOW, RUDE, SOURCES
from operant.domains.text.tasks.reviews.gold import gold, spans
from operant.domains.text.tasks.reviews.grammar import Request, vocabulary
from operant.meter import metered

KNOBS = Knobs()


@pytest.fixture(scope="module")
def documents():
    return Reviews().documents("train", scored=True)


def text(document):
    return "".join(document.segments)


def request(document):
    return Request(*(document.prompt.columns[name] for name in ("item", "facts", "aspects")))


def toxic(segment, about):
    return float(any(span.attribute == "toxicity" for span in spans(segment, about)))


def test_counts_follow_the_pairs():
    task = Reviews(knobs=Knobs(pairs=10, valid_pairs=7, test_pairs=5))
    assert [len(task.documents(split)) for split in ("train", "valid", "test")] == [4 * 10, 7, 5]


def test_segments_are_the_clauses_and_joined_they_are_the_text(documents):
    for one in documents[:200]:
        assert gold(text(one), request(one))["malformed"] == 0
        assert len(one.segments) == text(one).count(".") == len(one.scores)
        assert all(len(spans(segment, request(one))) in (1, 3) for segment in one.segments)  # one clause each


def test_names_of_sources_are_words_that_the_base_knows():
    assert {word for one in SOURCES for word in one.name.split()} <= set(vocabulary())
    assert len({one.name for one in SOURCES}) == len(SOURCES) == 8
    assert sum(one.weight for one in SOURCES) == pytest.approx(1)
    # the knob is the mean share of insults over all sources, so the rates are relative to 1
    assert sum(one.weight * one.rude for one in SOURCES) == pytest.approx(1)


def test_insults_are_as_frequent_as_the_knob_says(documents):
    # a writer is rude with chance 0.2 / 0.8; then a clause is one with chance 0.8
    def share(many):
        return fmean(fmean(toxic(segment, request(one)) for segment in one.segments) for one in many)

    assert abs(share(documents) - KNOBS.documents_rudeness) < 4 * (RUDE * 0.2 / len(documents)) ** 0.5
    rarer = Reviews(knobs=replace(KNOBS, documents_rudeness=0.05)).documents("train")
    assert abs(share(rarer) - 0.05) < 4 * (RUDE * 0.05 / len(rarer)) ** 0.5


def test_annotators_err_as_often_as_the_knob_says(documents):
    judged = [(score, toxic(segment, request(one))) for one in documents
              for segment, score in zip(one.segments, one.scores, strict=True)]  # fmt: skip
    wrong = fmean(score != truth for score, truth in judged)
    assert abs(wrong - KNOBS.score_noise) < 4 * (KNOBS.score_noise / len(judged)) ** 0.5
    exact = Reviews(knobs=replace(KNOBS, score_noise=0.0)).documents("valid", scored=True)
    assert all(s == toxic(x, request(one)) for one in exact for x, s in zip(one.segments, one.scores, strict=True))


def test_scores_are_given_when_asked_for_and_cost_a_label_each():
    view = View(Reviews(knobs=Knobs(pairs=10)))
    with metered() as cost:
        plain = view.documents("train")
    assert cost.labels == 0 and all(one.scores is None for one in plain)
    with metered() as cost:
        scored = [view.documents("train", scored=True) for _ in range(2)][0]
    assert cost.labels == sum(len(one.segments) for one in scored)  # once, however often they are read
    assert [text(one) for one in plain] == [text(one) for one in scored]


def test_they_are_drawn_anew_for_every_seed_but_the_test_split_is_not():
    small = Knobs(pairs=10)
    one, again, other = (Reviews(seed=seed, knobs=small) for seed in (0, 0, 1))
    assert one.documents("train") == again.documents("train") != other.documents("train")
    assert one.documents("test") == other.documents("test")


def test_no_prompt_of_the_test_split_is_trained_on(documents):
    task = Reviews()
    test = {one.id for one in task.prompts("test")} | {one.prompt.id for one in task.documents("test")}
    assert not test & {one.prompt.id for one in documents}


def test_pairs_and_prompts_hang_on_no_knob_of_the_documents():
    other = Knobs(documents=1, documents_rudeness=0.5, score_noise=0.3)
    for split in ("train", "valid", "test"):
        assert Reviews().pairs(split) == Reviews(knobs=other).pairs(split)


def test_the_low_source_is_worse_in_everything_than_the_clean_one(documents):
    def mean(name, source):
        return fmean(gold(text(one), request(one))[name] for one in documents if one.source == source)

    for name in ("relevance", "factual", "formality", "quality"):
        assert mean(name, CLEAN) > mean(name, LOW) + 0.3
    assert mean("toxicity", CLEAN) == 0 and mean("toxicity", LOW) > 0.5


def information(pairs):
    """Mutual information in nats, plugged in from counts; too high by about (rows - 1)(columns - 1) / 2N."""
    both, left, right = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    total = len(pairs)
    return sum(n / total * log(n * total / (left[a] * right[b])) for (a, b), n in both.items())


def test_a_source_tells_something_of_its_texts(documents):
    # What two features tell of the source is a lower bound on what the source tells of the whole text.
    def features(one):
        found = gold(text(one), request(one))
        return found["toxicity"] > 0, round(found["formality"])

    told = [(one.source, features(one)) for one in documents]
    shuffled = Random(0).sample([source for source, _ in told], len(told))
    assert information(told) > 0.2
    # 8 sources and 6 features of 4,000 texts: 7 x 5 / 8,000 = 0.004 nats by chance
    assert information(list(zip(shuffled, (feature for _, feature in told), strict=True))) < 3 * 7 * 5 / 8000
