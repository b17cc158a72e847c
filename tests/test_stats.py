"""Statistics by hand, and against scipy and brute force. Rates of false alarms are in test_stats_simulation.py."""

from dataclasses import replace
from itertools import combinations
from math import comb, log, sqrt

import numpy as np
import pytest
from scipy import stats as scipy_stats

from operant.errors import BadValue
from operant.stats import (
    bca,
    bca_of,
    best_of_n_curve,
    best_of_n_kl,
    cell,
    clopper_pearson,
    holm,
    two_way,
    two_way_p,
    verdict,
)

nan = float("nan")


def test_two_way_by_hand():
    # seed means 2, 3, 5.5; prompt means 2, 5; mean 3.5
    # MS_seed   = 2 (1.5^2 + 0.5^2 + 2^2) / 2           = 6.5
    # MS_prompt = 3 (1.5^2 + 1.5^2) / 1                 = 13.5
    # rest      = +-0.5, +-0.5, -+1 -> MS_rest = 3 / 2  = 1.5
    got = two_way([[1, 3], [2, 4], [3, 8]])
    variance = (6.5 + 13.5 - 1.5) / (3 * 2)
    df = (6.5 + 13.5 - 1.5) ** 2 / (6.5**2 / 2 + 13.5**2 / 1 + 1.5**2 / 2)
    t = scipy_stats.t(df)
    assert (got.mean, got.se, got.df) == pytest.approx((3.5, sqrt(variance), df))
    assert (got.low, got.high) == pytest.approx((3.5 - t.ppf(0.975) * got.se, 3.5 + t.ppf(0.975) * got.se))
    assert got.p == pytest.approx(2 * t.sf(3.5 / got.se))
    assert got.smallest_visible == pytest.approx((t.ppf(0.975) + t.ppf(0.8)) * got.se)
    assert (got.n_seeds, got.n_prompts, got.unknown, got.for_these_seeds_only) == (3, 2, 0, False)


def test_two_way_floor_is_the_noise():
    # Rows and columns all average 0: MS_seed = MS_prompt = 0, MS_rest = 6 / ((3-1)(3-1)) = 1.5; Var = 1.5 / 9.
    got = two_way([[1, -1, 0], [0, 1, -1], [-1, 0, 1]])
    assert (got.mean, got.se, got.df) == pytest.approx((0, sqrt(1.5 / 9), 4))


def test_seeds_that_agree_leave_only_prompts():
    # Three identical seeds hold no more than one: MS_seed = MS_rest = 0, so Var = S MS(one seed) / (S P).
    row = [0.1, 0.4, -0.2, 0.3]
    three, one = two_way([row] * 3), two_way([row])
    assert (three.se, three.df, three.p) == pytest.approx((one.se, one.df, one.p))


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_below_three_seeds_is_a_t_test_over_prompts(num_seeds):
    values = np.random.default_rng(0).normal(0.3, 1, (num_seeds, 12))
    got, want = two_way(values), scipy_stats.ttest_1samp(values.mean(0), 0)
    assert got.for_these_seeds_only
    assert (got.p, got.df) == pytest.approx((want.pvalue, 11))
    assert (got.low, got.high) == pytest.approx(tuple(want.confidence_interval(0.95)))


def test_unknown_is_left_out_and_counted_not_zero():
    known = np.array([[1.0, 2, 4], [2, 2, 5], [2, 3, 3]])
    holes = np.array([[nan, 7], [1, nan], [2, 2]])  # one unknown seed is enough
    got = two_way(np.hstack([holes, known]))
    assert got.unknown == 2 and got.n_prompts == 3 and got.unknown_share == 2 / 5
    assert replace(got, unknown=0) == two_way(known)


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize("value, p", [(0.0, 1.0), (0.1, 0.0)])
def test_equal_differences_are_certain(num_seeds, value, p):
    got = two_way(np.full((num_seeds, 7), value))
    assert (got.p, got.se, got.smallest_visible) == (p, 0, 0)
    assert got.low == got.high == pytest.approx(value)


def test_too_little_says_nothing():
    one = two_way([[3.0], [5.0], [7.0]])
    assert (one.mean, one.low, one.p) == (5.0, None, None)
    none = two_way([[nan, nan]] * 3)
    assert (none.mean, none.p, none.unknown, none.unknown_share) == (None, None, 2, 1.0)


@pytest.mark.parametrize("bad", [[1.0, 2.0], [[1.0, float("inf")]], np.zeros((2, 2, 2))])
def test_two_way_refuses(bad):
    with pytest.raises(BadValue, match="differences is"):
        two_way(bad)


def test_many_matrices_at_once():
    many = np.random.default_rng(1).normal(0.2, 1, (5, 3, 8))
    assert two_way_p(many) == pytest.approx([two_way(one).p for one in many])


def test_cell_is_the_same_machinery():
    values = [[1, 3, nan], [2, 4, 1], [3, 8, 1]]
    same = two_way(values)
    assert cell(values).to_json() == {"mean": 3.5, "low": same.low, "high": same.high, "n": 2, "unknown": 1}
    assert cell([1.0, 2.0, 3.0]) == cell([[1.0, 2.0, 3.0]])
    assert cell([]).to_json() == {"mean": None, "low": None, "high": None, "n": 0, "unknown": 0}


def test_holm_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last may not fall below 0.06
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == [
        pytest.approx(3 * 0.01),
        pytest.approx(2 * 0.03),
        None,
        pytest.approx(2 * 0.03),
        pytest.approx(4 * 0.005),
    ]
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(BadValue):
        holm([0.1, nan])


@pytest.mark.parametrize("k, n", [(1, 4), (3, 9), (50, 1000)])
def test_clopper_pearson_is_where_the_tails_are_a_fortieth(k, n):
    def at_least(count: int, share: float) -> float:
        return sum(comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(count, n + 1))

    low, high = clopper_pearson(k, n)
    assert at_least(k, low) == pytest.approx(0.025)
    assert 1 - at_least(k + 1, high) == pytest.approx(0.025)


def test_clopper_pearson_at_the_ends():
    assert clopper_pearson(0, 4) == (0.0, pytest.approx(1 - 0.025 ** (1 / 4)))
    assert clopper_pearson(4, 4) == (pytest.approx(0.025 ** (1 / 4)), 1.0)
    with pytest.raises(BadValue):
        clopper_pearson(5, 4)


@pytest.mark.parametrize(
    "sign, direction, p, want",
    [
        (1, "up", 0.05, "better"),
        (-1, "up", 0.05, "worse"),
        (1, "down", 0.01, "worse"),
        (-1, "down", 0.01, "better"),
        (1, "up", 0.0501, "no detectable difference"),
        (1, "up", None, "not comparable"),
    ],
)
def test_verdict_follows_the_adjusted_p(sign, direction, p, want):
    difference = two_way(sign * np.array([[1.0, 1.1, 0.9]] * 3))
    assert verdict(difference, p, direction) == want


def test_above_five_percent_unknown_is_not_comparable():
    values = np.ones((3, 20))
    values[0, 0] = nan  # 1 of 20 = 5%: still comparable
    assert verdict(two_way(values), 0.0, "up") == "better"
    values[0, 1] = nan
    assert verdict(two_way(values), 0.0, "up") == "not comparable"
    assert verdict(two_way(np.ones((3, 20))), 0.0, "up", unknown_share=0.06) == "not comparable"
    assert verdict(two_way([[nan]]), None, "up") == "not comparable"


def test_best_of_n_is_the_mean_over_all_subsets():
    rng = np.random.default_rng(0)
    proxy = rng.integers(0, 4, (5, 7)).astype(float)  # many ties
    proxy[0, 0] = -np.inf
    gold = rng.normal(size=(5, 7))
    got = best_of_n_curve(proxy, gold, ns=range(1, 8))
    for row, (scores, truth) in enumerate(zip(proxy, gold, strict=True)):
        for n in range(1, 8):
            tops = [[i for i in c if scores[i] == max(scores[j] for j in c)] for c in combinations(range(7), n)]
            want = np.mean([truth[top].mean() for top in tops])  # among equals, any is chosen
            assert got[row, n - 1] == pytest.approx(want)


def test_best_of_n_by_hand():
    # proxy ranks gold 10, 20, 60 upwards; best of 2: 20 in 1 pair of 3, 60 in 2 of 3
    got = best_of_n_curve([[1, 2, 3]], [[10, 20, 60]], ns=[1, 2, 3])
    assert got == pytest.approx(np.array([[90 / 3, (20 + 2 * 60) / 3, 60]]))


def test_best_of_n_refuses_and_keeps_unknown_apart():
    got = best_of_n_curve([[1, 2], [1, nan], [1, 2]], [[1, 2], [1, 2], [nan, 2]], ns=[2])
    assert got[0, 0] == 2 and np.isnan(got[1:, 0]).all()
    with pytest.raises(BadValue, match="n is 3; expected between 1 and the 2 answers"):
        best_of_n_curve([[1, 2]], [[1, 2]], ns=[3])
    with pytest.raises(BadValue, match="gold"):
        best_of_n_curve([[1, 2]], [[1]], ns=[1])


def test_best_of_n_kl():
    assert best_of_n_kl(1) == 0
    assert best_of_n_kl(4) == pytest.approx(log(4) - 3 / 4)
    # Best of n of continuous scores has density n u^(n-1) against 1 on (0, 1): KL = E log(n u^(n-1)).
    u = (np.arange(100_000) + 0.5) / 100_000
    assert np.mean(4 * u**3 * np.log(4 * u**3)) == pytest.approx(best_of_n_kl(4), abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bca_agrees_with_scipy(seed):
    values = np.random.default_rng(seed).exponential(size=40)
    got = bca(np.append(values, nan), resamples=20_000, rng=np.random.default_rng(10))
    again = bca_of(lambda index: values[index].mean(), 40, resamples=20_000, rng=np.random.default_rng(11))
    want = scipy_stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=np.random.default_rng(12))
    near = 0.03 * values.std()  # a 2.5% quantile of 20,000 draws moves by about 0.02 of the mean's deviation
    assert got == pytest.approx(tuple(want.confidence_interval), abs=near)
    assert again == pytest.approx(tuple(want.confidence_interval), abs=near)


def test_bca_leans_to_the_long_tail_and_takes_a_constant():
    values = np.random.default_rng(0).exponential(size=30)
    low, high = bca(values, rng=np.random.default_rng(0))
    assert high - values.mean() > values.mean() - low
    assert bca([0.1] * 9, rng=np.random.default_rng(0)) == pytest.approx((0.1, 0.1))


def test_bca_of_a_set_level_metric():
    # distinct words of a set is no mean over prompts: ten prompts share one word, ten have their own.
    words = ["same"] * 10 + [f"word {i}" for i in range(10)]
    low, high = bca_of(lambda index: len({words[i] for i in index}) / 20, 20, rng=np.random.default_rng(0))
    assert 0 < low < high <= 11 / 20


def test_bca_refuses():
    with pytest.raises(BadValue):
        bca([1.0], rng=np.random.default_rng(0))
    with pytest.raises(BadValue):
        bca([[1.0, 2.0]], rng=np.random.default_rng(0))
