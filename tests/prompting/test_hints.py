"""Hints: where they stand, keywords by TextRank, and a generator that writes its own."""

from __future__ import annotations

import tiny
from operant.prompting.hinted import Hinted
from operant.prompting.hints import keywords, ranked, usable, with_hint
from operant.schema import Answer, Decoding, Prompt

ITEM = Prompt(id="p", content="Sum.\n\nArticle: 2 3\nSummary: ", columns={"instruction": "Sum."})


def test_an_empty_hint_is_the_same_prompt_and_the_same_answers():
    for place in ("line", "instruction"):
        assert with_hint(ITEM, "  ", place=place) is ITEM

    class Silent:
        def answer(self, prompts, *, n, decoding, seed):
            return [[Answer(value="")] * n for _ in prompts]

        def points(self):
            return []

    prompts, greedy = tiny.graded().prompts("test"), Decoding(max_tokens=4, temperature=0)
    ours, plain = (one.answer(prompts, n=1, decoding=greedy, seed=0)
                   for one in (Hinted(Silent(), tiny.base()), tiny.base()))  # fmt: skip
    assert [many[0].value for many in ours] == [many[0].value for many in plain]


def test_a_hint_stands_before_the_last_line_or_behind_the_instruction():
    assert with_hint(ITEM, "lee; bribe", place="line").content == (
        "Sum.\n\nArticle: 2 3\nKeywords: lee; bribe\nSummary: "
    )
    assert with_hint(ITEM, "Think.", place="instruction").content == "Sum. Think.\n\nArticle: 2 3\nSummary: "
    assert with_hint(Prompt(id="q", content="one line"), "x", place="line").content == "Keywords: x\none line"


def test_the_word_in_the_middle_is_the_most_central():
    # "hub" stands within four words of all others, each of which has fewer neighbours
    assert ranked("red hub blue. green hub grey")[0] == "hub"
    assert ranked("the a of") == []


def test_keywords_are_those_that_the_reference_has_too():
    text = "Lee resigned in March. Lee denied bribery; critics said Lee lied."
    assert keywords(text, "lee resigned over bribery").split("; ")[0] == "lee"
    assert set(keywords(text, "lee resigned over bribery").split("; ")) == {"lee", "resigned", "bribery"}
    assert keywords(text, "nothing of it") == ""
    assert not usable("of") and not usable("x") and usable("lee")


def test_each_answer_has_a_hint_of_its_own_in_its_trace():
    prompts = tiny.graded().prompts("test")[:2]
    made = Hinted(tiny.base(), tiny.base(), place="instruction", tokens=3)
    answers = made.answer(prompts, n=2, decoding=Decoding(max_tokens=3), seed=0)
    assert all(len(one.trace["hint"].split()) <= 3 for many in answers for one in many)
    assert answers == made.answer(prompts, n=2, decoding=Decoding(max_tokens=3), seed=0)
