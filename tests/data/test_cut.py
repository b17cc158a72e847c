"""The cut by hand, and that it never takes more than it must."""

import pytest

from operant.data.cut import cut_ids, cut_pair
from operant.errors import BadValue


@pytest.mark.parametrize(
    "prompt, answer, max_length, kept_prompt, kept_answer",
    [
        (5, 3, 8, 5, 3),  # fits: nothing is cut, though the prompt has more than half
        (5, 4, 8, 4, 4),  # 9 > 8: the prompt keeps its last 8 // 2, and 4 are left for the answer
        (5, 9, 8, 4, 4),
        (2, 9, 8, 2, 6),  # a short prompt leaves its room to the answer
        (9, 1, 8, 4, 1),
        (9, 9, 7, 3, 4),  # 7 // 2 = 3
        (3, 3, 1, 0, 1),  # 1 // 2 = 0: no prompt at all
        (0, 9, 8, 0, 8),
    ],
)
def test_cut_by_hand(prompt, answer, max_length, kept_prompt, kept_answer):
    prompt_ids, answer_ids = list(range(prompt)), list(range(100, 100 + answer))
    cut = cut_ids(prompt_ids, answer_ids, max_length)
    assert cut.prompt == prompt_ids[prompt - kept_prompt :]  # the end of the prompt
    assert cut.answer == answer_ids[:kept_answer]  # the beginning of the answer
    assert (cut.prompt_cut, cut.answer_cut) == (prompt - kept_prompt, answer - kept_answer)
    assert not cut.dropped


def test_every_size_stays_under_the_maximum_and_cuts_only_what_does_not_fit():
    sizes = [(p, a, m) for p in range(12) for a in range(12) for m in range(1, 12)]
    for prompt, answer, max_length in sizes:
        cut = cut_ids(list(range(prompt)), list(range(answer)), max_length)
        assert len(cut.prompt) + len(cut.answer) <= max_length
        assert (cut.prompt_cut + cut.answer_cut == 0) == (prompt + answer <= max_length)
        assert cut.dropped == (answer == 0)  # some room is always left for an answer


def test_both_sides_of_a_pair_see_the_same_prompt():
    # with "short" alone the prompt would fit (6 + 1 <= 8); the longer answer decides for both
    pair = cut_pair([1, 2, 3, 4, 5, 6], [7, 8, 9], [7], 8)
    assert pair.chosen.prompt == pair.rejected.prompt == [3, 4, 5, 6]
    assert (pair.chosen.answer, pair.rejected.answer) == ([7, 8, 9], [7])
    assert not pair.dropped and not pair.identical


def test_a_pair_may_be_identical_or_dropped_afterwards():
    assert cut_pair([1, 2], [3, 4, 5], [3, 4, 6], 4).identical  # room for 2: both are [3, 4]
    assert cut_pair([1], [], [2], 4).dropped


def test_a_maximum_below_one_is_refused():
    with pytest.raises(BadValue, match="at least 1"):
        cut_ids([1], [2], 0)
