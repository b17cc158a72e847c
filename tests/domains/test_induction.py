"""Scores of short answers: what is normalised away, each metric by hand, and which metric a prompt gets."""

from __future__ import annotations

import pytest

from operant.compare.scorers import scorer_from
from operant.domains.text.induction import InductionMatch, contains, exact, exact_set, normalised, token_f1
from operant.errors import OperantError, UnknownName
from operant.meter import metered
from operant.schema import Answer, Prompt, Scorer


def prompt(*targets, **columns):
    return Prompt(id="p", content="?", columns={"targets": targets, **columns})


def score(text, asked):
    return InductionMatch().score([asked], [Answer(value=text)])[0].value


@pytest.mark.parametrize(
    "text, plain",
    [
        ("Positive.", "positive"),
        ("\n  The cat sat. It purred.\nThe end.", "the cat sat"),
        ("What's up?", "whats up"),
        ("twenty-one", "twenty one"),
        ("a cat and a dog", "a cat a dog"),
        ("He doesn't, and can't!", "he does not can not"),
        ("costs 3.50 dollars", "costs 350 dollars"),  # a point inside a number ends no sentence
        ("", ""),
        (" \n ", ""),
    ],
)
def test_what_is_normalised_away(text, plain):
    assert normalised(text) == plain


@pytest.mark.parametrize(
    "text", ["positive", "Positive.", "Positive. Confidence score: 0.9", "Confidence score: 0.9\npositive"]
)
def test_a_stated_confidence_is_no_part_of_the_answer(text):
    assert exact(text, ["positive"]) == 1


def test_exact_is_the_whole_answer():
    assert exact("positive and negative", ["positive"]) == 0
    assert exact("no", ["not the same", "No."]) == 1


def test_f1_by_hand():
    # common: involve, movement -> 2 x 2 / (2 + 3)
    assert token_f1("involve movement", ["involve vertical movement."]) == 4 / 5
    assert token_f1("up", ["involve vertical movement.", "up"]) == 1
    # a repeated word counts as often as both have it: 2 x 1 / (3 + 1)
    assert token_f1("up up up", ["up"]) == 2 / 4
    assert token_f1("", ["up"]) == 0


def test_sets_have_no_order():
    assert exact_set("bear, duck and cow", ["cow, bear, duck"]) == 1
    assert exact_set("bear, duck", ["cow, bear, duck"]) == 0


def test_containment_keeps_to_whole_words():
    assert contains("the process of it", ["process"]) == 1
    assert contains("reprocessed", ["process"]) == 0
    assert contains("anything", ["..."]) == 0  # a target without a word is in nothing


@pytest.mark.parametrize(
    "task, text, value",
    [
        ("taxonomy_animal", "duck, bear", 1),
        ("synonyms", "duck bear honey", 0),
        ("synonyms", "a bear duck", 1),
        ("common_concept", "bear", 2 / 3),
        ("antonyms", "duck bear", 0),
        (None, "bear duck.", 1),
    ],
)
def test_the_task_of_a_prompt_names_its_metric(task, text, value):
    assert score(text, prompt("bear duck", task=task)) == pytest.approx(value)


def test_the_metric_column_is_stronger_and_must_be_known():
    assert score("a bear", prompt("bear", task="antonyms", metric="contains")) == 1
    with pytest.raises(UnknownName, match="did you mean 'contains'"):
        score("a bear", prompt("bear", metric="contain"))


@pytest.mark.parametrize("columns", [{"targets": ()}, {"targets": None}, {}])
def test_without_accepted_answers_the_score_is_unknown(columns):
    found = InductionMatch().score([Prompt(id="p", content="?", columns=columns)], [Answer(value="x")])[0]
    assert found.value is None
    assert "targets, target, answer" in found.why


def test_a_single_target_is_a_target():
    assert score("4", Prompt(id="p", content="?", columns={"target": 4})) == 1


def test_it_is_a_scorer_and_is_metered(tmp_path):
    asked, answers = [prompt("a")] * 3, [Answer(value=text) for text in "abA"]
    with metered() as cost:
        assert InductionMatch().compare(asked, answers, list(reversed(answers))) == [0.5, 0.5, 0.5]
        assert InductionMatch().compare(asked[:1], answers[:1], answers[1:2]) == [1.0]
        assert InductionMatch().compare([prompt()], answers[:1], answers[:1]) == [None]
    assert cost.verifier_calls == 2 * (3 + 1 + 1)
    InductionMatch().save(tmp_path)
    assert isinstance(InductionMatch.load(tmp_path), Scorer)


def test_it_is_named_match_on_the_command_line():
    assert isinstance(scorer_from("match", max_length=1), InductionMatch)
    with pytest.raises(OperantError, match=r"match +short answers against the accepted ones"):
        scorer_from("matc", max_length=1)
