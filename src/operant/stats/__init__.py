"""Intervals, tests and verdicts, in numpy. Values are [seeds, prompts]; NaN means unknown, which is not zero.

differences  two-way random effects over seeds and prompts, Holm, Clopper-Pearson, verdicts
bootstrap    BCa intervals of one fixed model, for means and for metrics of a whole set
paired       right or wrong under two conditions: exact McNemar, interval of the effect, relative gain
crossed      two groups of conditions tried on the same items, both at random
confidence   how far stated confidence is from how often it was right
reliability  calibration of probabilities, and the area under the ROC curve
best_of      the best-of-n curve from one sample set, and its KL
controls     A/A: how often these tests find a difference where there is none
"""

from operant.stats.best_of import best_of_n_curve, best_of_n_kl
from operant.stats.bootstrap import bca, bca_of, bca_rows
from operant.stats.controls import FalseAlarms, Rate, aa_false_alarms
from operant.stats.differences import (
    Cell,
    Difference,
    Interval,
    Verdict,
    cell,
    clopper_pearson,
    holm,
    two_way,
    two_way_p,
    verdict,
)
from operant.stats.paired import (
    Paired,
    count_pairs,
    mcnemar,
    normalised_preferred,
    paired_interval,
    relative_gain,
)

__all__ = [
    "Cell",
    "Difference",
    "FalseAlarms",
    "Interval",
    "Paired",
    "Rate",
    "Verdict",
    "aa_false_alarms",
    "bca",
    "bca_of",
    "bca_rows",
    "best_of_n_curve",
    "best_of_n_kl",
    "cell",
    "clopper_pearson",
    "count_pairs",
    "holm",
    "mcnemar",
    "normalised_preferred",
    "paired_interval",
    "relative_gain",
    "two_way",
    "two_way_p",
    "verdict",
]
