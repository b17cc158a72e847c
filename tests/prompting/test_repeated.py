"""A question read again: the exact bytes, which part of a prompt is the question, and what a copy costs."""

from __future__ import annotations

import pytest

from operant.errors import BadValue, OperantError
from operant.models.small import small_llama
from operant.prompting.edits import Demo
from operant.prompting.frames import FORMS, as_program, asked_for, question_answer
from operant.prompting.repeated import Again, read_again, words_in
from operant.prompting.room import fitting
from operant.schema import Prompt


def asked(content, **columns):
    return Prompt(id="p", content=content, columns=columns)


ITEM = asked("Instruction: Count.\n\nInput: a b a ? a\nAnswer: ", instruction="Count.", input="a b a ? a")
ANNOUNCED = " \n\nRead the question again: "  # as released


def test_the_question_alone_stands_twice():
    assert read_again(ITEM, Again()).content == (
        f"Instruction: Count.\n\nInput: a b a ? a{ANNOUNCED}a b a ? a\nAnswer: "
    )
    assert read_again(ITEM, Again(times=3)).content.count("a b a ? a") == 3
    assert read_again(asked("2 + 2?"), Again()).content == f"2 + 2?{ANNOUNCED}2 + 2?"  # no column: all of it


def test_one_reading_is_the_prompt_byte_for_byte():
    assert read_again(ITEM, Again(times=1)) == ITEM
    assert read_again(ITEM, Again(times=1, second="filler")) == ITEM


def test_a_second_reading_adds_the_phrase_and_the_question():
    # "Read the question again:" is 4 words and the question 5; of `times` readings all but one are added
    for times in (1, 2, 3):
        more = words_in(read_again(ITEM, Again(times=times)).content) - words_in(ITEM.content)
        assert more == (times - 1) * (4 + 5)


def test_fillers_are_as_many_as_the_copy_has_words_and_say_nothing():
    content = read_again(ITEM, Again(second="filler")).content
    assert content == f"Instruction: Count.\n\nInput: a b a ? a \n\n{' '.join(['...'] * 9)}\nAnswer: "


def test_choices_are_part_of_the_question_and_its_context_where_asked():
    prompt = asked(
        "Tom has a cat. Who has a cat? (A) Tom (B) Ann\nA:",
        question="Who has a cat?", choices=("Tom", "Ann"), context="Tom has a cat.",
    )  # fmt: skip
    copy = "Who has a cat? (A) Tom (B) Ann"
    assert read_again(prompt, Again()).content == f"Tom has a cat. {copy}{ANNOUNCED}{copy}\nA:"
    whole = f"Tom has a cat. {copy}"
    assert read_again(prompt, Again(scope="context")).content == f"{whole}{ANNOUNCED}{whole}\nA:"


def test_in_a_conversation_both_copies_stand_in_one_turn():
    talk = asked(({"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}))
    again = read_again(talk, Again()).content
    assert again == (talk.content[0], {"role": "user", "content": f"2 + 2?{ANNOUNCED}2 + 2?"})


def test_frames_by_hand():
    demos = [Demo("1 + 1", "2")]
    assert question_answer("2 + 2", form="free", trigger="none") == "\nQ: 2 + 2\n\nA: "
    assert question_answer("2 + 2", form="number", trigger="cot", demos=demos) == (
        f"\nQ: 1 + 1\nA: 2\n\nQ: 2 + 2\n\n{FORMS['number']}\n\nA: Let's think step by step."
    )
    assert asked_for(ITEM, form="text", trigger="cot").content == (
        f"Instruction: Count. {FORMS['text']}\n\nInput: a b a ? a\nAnswer: Let's think step by step."
    )


def test_every_line_of_a_program_before_its_function_is_a_comment():
    question = read_again(asked("How many?\nSay it."), Again()).content
    before, _, behind = as_program(question).partition("def solution():")
    assert all(line.startswith("#") for line in before.splitlines() if line)
    assert before.count("Say it.") == 2
    compile(f'def solution():{behind}"""', "program", "exec")


def test_a_prompt_too_long_for_the_model_is_refused_with_what_is_to_be_cut():
    class Base:
        module, tokenizer = small_llama(["a"], hidden=16, layers=1)

    most = Base.module.config.max_position_embeddings
    edit = fitting(lambda prompt: read_again(prompt, Again(phrase="a")), Base())
    fits = (most - 1 - 1) // 2  # words: twice the question and one for the phrase leave one position
    edit(asked(" ".join(["a"] * fits)))
    # one word more makes 2 (fits + 1) + 1 = most + 1 tokens of at most most - 1
    with pytest.raises(OperantError, match=f"has {2 * (fits + 1) + 1} tokens.* at least 2 tokens"):
        edit(asked(" ".join(["a"] * (fits + 1))))


def test_no_reading_at_all_cannot_be_written():
    with pytest.raises(BadValue, match="times"):
        Again(times=0)
