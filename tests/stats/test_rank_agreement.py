"""Agreement of two rankings, by hand."""

import pytest

from operant.stats.rank_agreement import kendall, ranks, same_ends, spearman


def test_ranks_are_ordinal():
    assert ranks([0.3, -1.0, 7.0]) == [1, 0, 2]
    assert ranks([5.0, 5.0, 1.0]) == [1, 2, 0]  # equal values in their order


@pytest.mark.parametrize(
    "one, other, tau",
    [
        ([1, 2, 3, 4, 5], [2, 1, 3, 4, 5], (9 - 1) / 10),  # one pair of ten the other way round
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1),
        ([1, 2, 3], [1, 3, 2], (2 - 1) / 3),
    ],
)
def test_kendall_by_hand(one, other, tau):
    assert kendall(one, other) == pytest.approx((tau + 1) / 2)


def test_an_increasing_function_of_a_score_changes_nothing():
    one, other = [-3.0, 0.5, 0.1, 2.0], [0.2, 0.1, 0.9, 0.7]
    for agreement in (kendall, spearman, same_ends):
        assert agreement([value**3 + 5 for value in one], other) == agreement(one, other)


def test_spearman_by_hand():
    # ranks 0 1 2 and 0 2 1: rho = 1 - 6 (0 + 1 + 1) / (3 (9 - 1)) = 0.5
    assert spearman([1, 2, 3], [1, 3, 2]) == pytest.approx((0.5 + 1) / 2)


def test_ends_are_the_best_and_the_worst_not_the_first_and_the_last():
    assert same_ends([2, 9, 1, 5], [3, 8, 0, 4]) == 1.0
    assert same_ends([2, 9, 1, 5], [9, 8, 0, 4]) == 0.0  # another best
    assert same_ends([2, 9, 1, 5], [0, 8, 1, 4]) == 0.0  # another worst
