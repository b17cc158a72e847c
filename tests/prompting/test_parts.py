"""Prompts taken apart and put together again."""

from __future__ import annotations

import pytest

from operant.errors import NotApplicable
from operant.probes.games import PromptGame
from operant.prompting.parts import columns_of, lines_of, phrases_in, text_of, values_of, words_of
from operant.schema import Prompt

ASKED = Prompt(
    id="p", content="Instruction: Sum.\n\nInput: 2  3\nAnswer: ",
    columns={"instruction": "Sum.", "input": "2  3", "task": "sum", "targets": ("5",)},
)  # fmt: skip
TALK = Prompt(id="t", content=({"role": "system", "content": "s"}, {"role": "user", "content": "a b"}))
PHRASES = {"one": "Be sure.", "two": "Thanks."}


def played(parts):
    return PromptGame(template=parts.template, fields=parts.fields, constants=parts.constants)


@pytest.mark.parametrize("parts", [
    phrases_in(ASKED, PHRASES), phrases_in(ASKED, PHRASES, place="start"), phrases_in(ASKED, PHRASES, place="end"),
])  # fmt: skip
def test_without_phrases_it_is_the_prompt_byte_for_byte(parts):
    empty = played(parts).render([False, False])
    assert empty.rstrip(" ") == ASKED.content.rstrip(" ")


def test_phrases_by_hand():
    both = played(phrases_in(ASKED, PHRASES))
    assert both.render([True, True]) == "Instruction: Sum. Be sure. Thanks.\n\nInput: 2  3\nAnswer: "
    assert both.render([False, True]) == "Instruction: Sum. Thanks.\n\nInput: 2  3\nAnswer: "
    assert both.render([False, False]) == ASKED.content
    start = played(phrases_in(ASKED, PHRASES, place="start"))
    assert start.render([True, False]) == f"Be sure. {ASKED.content}"
    end = played(phrases_in(ASKED, PHRASES, place="end"))
    assert end.render([False, True]) == "Instruction: Sum.\n\nInput: 2  3\nAnswer:  Thanks."


@pytest.mark.parametrize("take", [lines_of, words_of, columns_of])
def test_all_parts_together_are_the_prompt(take):
    parts = take(ASKED)
    assert played(parts).render([True] * len(parts.fields)) == ASKED.content


def test_lines_and_words_are_named_by_what_they_are():
    assert [lines_of(ASKED).names[one] for one in lines_of(ASKED).fields] == [
        "Instruction: Sum.", "Input: 2  3", "Answer: "
    ]  # fmt: skip
    assert list(words_of(ASKED).names.values()) == ["Instruction:", "Sum.", "Input:", "2", "3", "Answer:"]
    assert played(words_of(ASKED)).render([1, 1, 1, 0, 1, 1]) == "Instruction: Sum.\n\nInput:  3\nAnswer: "


def test_columns_that_stand_in_the_prompt_or_in_a_template():
    assert dict(columns_of(ASKED).fields) == {"instruction": "Sum.", "input": "2  3"}
    named = columns_of(ASKED, template="{{ task }}: {{ input }}")
    assert dict(named.fields) == {"task": "sum", "input": "2  3"}
    with pytest.raises(NotApplicable, match="double braces"):
        columns_of(Prompt(id="q", content="x", columns={"task": "y"}))


def test_of_a_conversation_the_users_last_message_is_taken():
    assert text_of(TALK) == "a b"
    assert list(words_of(TALK).fields.values()) == ["a", "b"]


def test_values_of_a_field_in_all_prompts():
    other = Prompt(id="q", content="Sum. 7", columns={"input": "7", "instruction": "Sum."})
    assert values_of([columns_of(ASKED), columns_of(other)]) == {"instruction": ("Sum.",), "input": ("2  3", "7")}
