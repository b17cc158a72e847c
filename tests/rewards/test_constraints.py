"""IFEval's keywords and lengths: each check by hand, and on the set's own rows."""

import os
from pathlib import Path

import pytest

from operant.data.load import load
from operant.domains.text.records import prompt_of
from operant.errors import UnknownName
from operant.rewards.constraints import CHECKS, Constraints, stated_by
from operant.schema import Answer, Prompt


def asked(**stated) -> Prompt:
    """Constraints by name, `:` as `__`."""
    names = [name.replace("__", ":") for name in stated]
    return Prompt(id="0", content="?", columns={"instruction_id_list": names, "kwargs": list(stated.values())})


def scored(prompt: Prompt, text: str, *, strict: bool = False) -> float | None:
    [score] = Constraints(strict=strict).score([prompt], [Answer(value=text)])
    return score.value


@pytest.mark.parametrize("name, told, text, met", [
    ("keywords__existence", {"keywords": ["mom", "mother"]}, "My Mother and her momentum", 1),  # mom in momentum
    ("keywords__existence", {"keywords": ["mom", "mother"]}, "a mother", 1 / 2),
    ("keywords__frequency", {"keyword": "story", "relation": "at least", "frequency": 2}, "Story of a story", 1),
    ("keywords__frequency", {"keyword": "story", "relation": "at least", "frequency": 4}, "one story", 1 / 4),
    ("keywords__frequency", {"keyword": "a", "relation": "less than", "frequency": 2}, "a b", 1),
    ("keywords__frequency", {"keyword": "a", "relation": "less than", "frequency": 2}, "a a a a", 1 / 4),
    ("keywords__forbidden_words", {"forbidden_words": ["rock", "roll"]}, "Rocky rollers", 1),  # whole words alone
    ("keywords__forbidden_words", {"forbidden_words": ["rock", "roll"]}, "rock on", 1 / 2),
    ("keywords__letter_frequency", {"letter": "#", "let_relation": "at least", "let_frequency": 4}, "# a ##", 3 / 4),
    ("keywords__letter_frequency", {"letter": "A", "let_relation": "less than", "let_frequency": 3}, "A a b", 1),
    ("length_constraints__number_words", {"relation": "at least", "num_words": 4}, "one, two three-four", 1),
    ("length_constraints__number_words", {"relation": "less than", "num_words": 4}, "one two three four", 3 / 4),
    ("length_constraints__number_sentences", {"relation": "at least", "num_sentences": 3}, "One. Two! 3.5 more?", 1),
    ("length_constraints__number_sentences", {"relation": "at least", "num_sentences": 4}, "One. Two!", 1 / 2),
    ("length_constraints__number_paragraphs", {"num_paragraphs": 2}, "one *** two ***", 1),
    ("length_constraints__number_paragraphs", {"num_paragraphs": 2}, "one", 1 / 2),
    ("length_constraints__number_paragraphs", {"num_paragraphs": 2}, "one *** *** two", 0),
    ("length_constraints__nth_paragraph_first_word",
     {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "weekend"}, "one\n\n\"Weekend\" it is", 1),
    ("length_constraints__nth_paragraph_first_word",
     {"num_paragraphs": 4, "nth_paragraph": 2, "first_word": "weekend"}, "one\n\nWeekend", (2 / 4 + 1) / 2),
    ("length_constraints__nth_paragraph_first_word",
     {"num_paragraphs": 1, "nth_paragraph": 2, "first_word": "weekend"}, "weekend", 0),
])  # fmt: skip
def test_each_check_by_hand(name, told, text, met):
    assert scored(asked(**{name: told}), text) == pytest.approx(met)
    assert scored(asked(**{name: told}), text, strict=True) == float(met == 1)


def test_constraints_of_a_prompt_count_alike():
    both = asked(keywords__existence={"keywords": ["sun"]},
                 length_constraints__number_words={"relation": "less than", "num_words": 2})  # fmt: skip
    # the word is there: 1; 2 words where fewer than 2 are wanted: 1/2
    assert scored(both, "the sun") == pytest.approx((1 + 1 / 2) / 2)
    assert scored(both, "the sun", strict=True) == 1 / 2


def test_a_prompt_without_constraints_is_unknown_and_one_of_another_kind_left_out():
    assert scored(Prompt(id="0", content="?"), "anything") is None
    mixed = asked(punctuation__no_comma={}, keywords__existence={"keywords": ["a"]})
    assert [name for name, _ in stated_by(mixed)] == ["keywords:existence"]


def test_constraints_that_nobody_knows_are_refused():
    with pytest.raises(UnknownName, match="keywords:rhyme"):
        scored(asked(keywords__rhyme={}), "text")
    with pytest.raises(UnknownName, match="at most"):
        scored(asked(length_constraints__number_words={"relation": "at most", "num_words": 3}), "text")


def test_constraints_are_read_from_a_file(tmp_path):
    (tmp_path / "asked.jsonl").write_text(
        '{"prompt": "Say it.", "instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": ["moon"]}]}\n'
    )
    [record] = load(tmp_path / "asked.jsonl").records
    assert stated_by(prompt_of(record)) == [("keywords:existence", {"keywords": ["moon"]})]


@pytest.mark.skipif("OPERANT_TEST_DATA" not in os.environ, reason="real data are found through OPERANT_TEST_DATA")
def test_every_stated_keyword_and_length_of_the_set_is_checked():
    path = Path(os.environ["OPERANT_TEST_DATA"]) / "ifeval/input_data.jsonl"
    prompts = [prompt_of(record) for record in load(path).records]
    stated = [one for prompt in prompts for one in stated_by(prompt)]
    assert {name for name, _ in stated} == set(CHECKS)
    known = [prompt for prompt in prompts if stated_by(prompt)]
    scores = Constraints().score(known, [Answer(value="")] * len(known))
    assert all(score.value is not None and 0 <= score.value <= 1 for score in scores)
