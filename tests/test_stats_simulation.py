"""How often the tests raise a false alarm, on bounded, skewed scores that cluster by seed and by prompt."""

import numpy as np
import pytest
from scipy.special import ndtr, stdtrit

from operant.stats import aa_false_alarms, clopper_pearson, holm, two_way_p
from operant.stats.differences import _spread

REPEATS = 4000


def within(k: int, n: int, low: float, high: float) -> bool:
    """Whether a rate between low and high is believable after k of n, at one in a thousand."""
    least, most = clopper_pearson(k, n, level=0.999)
    return least <= high and most >= low


def scores(quality: float, easy: np.ndarray, num_seeds: int, rng: np.random.Generator) -> np.ndarray:
    """[REPEATS, seeds, prompts] between 0 and 1; their mean is quality * E easy * 4/5 * 2/3."""
    repeats, _, num_prompts = easy.shape
    by_seed = rng.beta(20 * quality, 20 * (1 - quality), (repeats, num_seeds, 1))  # how a training run turned out
    by_prompt = rng.beta(4, 1, (repeats, 1, num_prompts))  # what this method makes of a prompt
    return easy * by_seed * by_prompt * rng.beta(2, 1, (repeats, num_seeds, num_prompts))


def differences(better: float, worse: float, num_seeds: int, num_prompts: int) -> np.ndarray:
    """Method minus baseline on the same prompts, each with seeds of its own."""
    rng = np.random.default_rng(1)
    easy = rng.beta(1, 2, (REPEATS, 1, num_prompts))
    return scores(better, easy, num_seeds, rng) - scores(worse, easy, num_seeds, rng)


SHAPES = [(3, 40, 0.5), (3, 40, 0.9), (3, 200, 0.8), (5, 40, 0.8), (5, 100, 0.5), (5, 200, 0.8)]


@pytest.mark.parametrize("num_seeds, num_prompts, quality", SHAPES)
def test_false_alarms(num_seeds, num_prompts, quality):
    alarms = int((two_way_p(differences(quality, quality, num_seeds, num_prompts)) < 0.05).sum())
    low, high = (0.046, 0.081) if num_seeds == 3 else (0.05, 0.06)
    assert within(alarms, REPEATS, low, high), alarms / REPEATS


@pytest.mark.parametrize("num_seeds, num_prompts, quality", SHAPES)
def test_coverage(num_seeds, num_prompts, quality):
    gain = 0.05
    true = gain * (1 / 3) * (4 / 5) * (2 / 3)  # Beta(a, b) has mean a / (a + b)
    spread = _spread(differences(quality + gain, quality, num_seeds, num_prompts))
    covered = int((np.abs(spread.mean - true) < stdtrit(spread.df, 0.975) * spread.se).sum())
    low, high = (0.91, 0.96) if num_seeds == 3 else (0.93, 0.96)
    assert within(covered, REPEATS, low, high), covered / REPEATS


def test_a_bootstrap_over_three_seeds_raises_false_alarms():
    # Of its 27 resamples one is the lowest seed thrice: more than 2.5%, so the interval is [lowest, highest] seed and
    # excludes 0 whenever the three agree in sign: 2 (1/2)^3 = 25% for independent seeds, more since they share prompts.
    null = differences(0.8, 0.8, 3, 100)
    by_seed = null.mean(-1)
    resampled = by_seed[:, np.stack(np.meshgrid(*[range(3)] * 3), -1).reshape(27, 3)].mean(-1)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=1, method="inverted_cdf")
    naive = int(((low > 0) | (high < 0)).sum())
    assert naive == ((by_seed > 0).all(1) | (by_seed < 0).all(1)).sum()
    honest = int((two_way_p(null) < 0.05).sum())
    assert clopper_pearson(naive, REPEATS).low > 0.25
    assert clopper_pearson(naive, REPEATS).low > 3 * clopper_pearson(honest, REPEATS).high


def test_holm_holds_the_family():
    # Six methods against one baseline, which ties their p values; four are no better, two are.
    rng = np.random.default_rng(3)
    effects = np.array([0, 0, 0, 0, 1.0, 3.0])
    method, baseline = rng.normal(size=(REPEATS, 6)), rng.normal(size=(REPEATS, 1))
    p = 2 * ndtr(-np.abs((effects + method - baseline) / np.sqrt(2)))
    adjusted = np.array([holm(row) for row in p.tolist()], dtype=float)
    alarms = int((adjusted[:, :4] <= 0.05).any(1).sum())
    unadjusted = int((p[:, :4] <= 0.05).any(1).sum())
    assert clopper_pearson(alarms, REPEATS, level=0.999).low <= 0.05, alarms / REPEATS
    assert clopper_pearson(unadjusted, REPEATS).low > 0.10, unadjusted / REPEATS
    assert (adjusted[:, 5] <= 0.05).sum() > (adjusted[:, 4] <= 0.05).sum() > 0


@pytest.mark.parametrize("per_side", [1, 5])
def test_a_policy_against_itself(per_side):
    rng = np.random.default_rng(4)
    pool = rng.beta(1, 3, (200, 1)) * rng.beta(0.5, 0.5, (200, 24))
    found = aa_false_alarms(pool, per_side=per_side, rng=rng)
    assert found.bca.n == found.two_way.n == 2000
    assert within(found.bca.k, 2000, 0.038, 0.063), found.bca
    assert within(found.two_way.k, 2000, 0.015, 0.065), found.two_way
    assert (found.bca.low, found.bca.high) == clopper_pearson(found.bca.k, 2000)


def test_two_policies_are_told_apart():
    # The control would be worthless if it could not ring: here one side's answers are better.
    rng = np.random.default_rng(5)
    drift = rng.beta(2, 2, (REPEATS, 3, 40)) - rng.beta(2, 3, (REPEATS, 3, 40))
    assert (two_way_p(drift) < 0.05).mean() > 0.5
