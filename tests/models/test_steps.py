"""Where the steps of a solution end: in its text, and at which token."""

from __future__ import annotations

import pytest

from operant.errors import BadValue
from operant.models.small import small_llama
from operant.models.steps import STEP_END, closed, cuts, read_at, step_ends, step_texts
from operant.models.text import Encoded

TOKENIZER = small_llama(["1", "+", "2", "=", "3", ".", "answer"], hidden=16, layers=1).tokenizer


def test_a_line_feed_or_a_full_stop_that_stands_apart_ends_a_step():
    assert step_texts("one\ntwo 3.5\nthree", STEP_END) == ["one\n", "two 3.5\n", "three"]
    assert step_texts("1 + 2 = 3 . answer 3", STEP_END) == ["1 + 2 = 3 .", " answer 3"]


def test_empty_steps_and_trailing_lines_are_none():
    assert step_texts("one\n\n\ntwo\n\n", STEP_END) == ["one\n", "\n\ntwo\n\n"]
    assert cuts("one\n\n", STEP_END) == []
    assert step_texts("", STEP_END) == [""]


def test_steps_end_at_their_last_token():
    ids = TOKENIZER("1 + 2 = 3 . 3 + 1 = 3 . answer 3", add_special_tokens=False)["input_ids"]
    assert step_ends(TOKENIZER, ids, STEP_END) == (5, 11, 13)
    # EOS belongs to the last step
    assert step_ends(TOKENIZER, [*ids, TOKENIZER.eos_token_id], STEP_END) == (5, 11, 14)
    assert step_ends(TOKENIZER, ids[:3], STEP_END) == (2,)


def test_a_step_is_read_behind_its_last_token():
    row = Encoded((1,), (10, 11, 12, 13))
    whole = closed(TOKENIZER, row)
    assert whole.answer == (10, 11, 12, 13, TOKENIZER.eos_token_id)
    assert closed(TOKENIZER, whole) == whole
    # steps end at 1 and 3: read where 12 and where EOS is predicted; an answer with EOS of its own: at EOS too
    assert read_at(whole, (1, 3)) == (2, 4) == read_at(whole, (1, 4))


@pytest.mark.parametrize("pattern", ["(", "x*"])
def test_what_cannot_end_a_step_is_refused(pattern):
    with pytest.raises(BadValue, match="step_end"):
        cuts("text", pattern)
