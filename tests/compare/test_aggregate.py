"""Cells to numbers: small cells, the arithmetic in view."""

import pytest

from operant.compare.aggregate import cell_of, compare_rows, make_row, over_seeds
from operant.compare.examples import slices, worse
from operant.compare.rows import Row
from operant.schema import Metric, Prompt

QUALITY = Metric(name="quality")


def cell(values, **more):
    return {"status": "done", "why": "", "metrics": {"quality": values}, **more}


def test_difference_is_paired_by_seed_and_prompt():
    # differences: seed 0: 1, 1; seed 1: 1, 1 -> exactly 1, with no spread at all
    cells = {"a": {0: cell([2.0, 3.0]), 1: cell([5.0, 1.0])}, "base": {0: cell([1.0, 2.0]), 1: cell([4.0, 0.0])}}
    (one,) = compare_rows([("a", "base")], cells, [QUALITY], seeds=2)
    assert one["difference"] == 1 and one["verdict"] == "better" and one["n_prompts"] == 2


def test_a_prompt_unknown_in_one_cell_is_left_out_and_too_many_are_not_comparable():
    cells = {"a": {0: cell([2.0, None, 3.0])}, "base": {0: cell([1.0, 2.0, 1.0])}}
    (one,) = compare_rows([("a", "base")], cells, [QUALITY], seeds=1)
    assert one["difference"] == (1 + 2) / 2 and one["unknown"] == 1
    assert one["verdict"] == "not comparable"  # one of three is more than 5%


def test_a_failed_seed_fails_the_comparison_and_a_scorer_is_no_failure():
    cells = {"a": {0: cell([1.0])}, "base": {0: cell([1.0]), 1: cell([1.0])}, "judge": {0: {}, 1: {}}}
    found = compare_rows([("a", "base"), ("judge", "base")], cells, [QUALITY], seeds=2)
    assert [(one["method"], one["verdict"]) for one in found] == [("a", "failed")]


def test_holm_runs_over_the_methods_of_one_baseline():
    import numpy as np

    rng = np.random.default_rng(0)
    base = rng.normal(size=(3, 40))
    cells = {"base": base, "a": base + 0.3 + rng.normal(size=(3, 40)), "b": base + rng.normal(size=(3, 40))}
    cells = {name: {seed: cell(list(row)) for seed, row in enumerate(rows)} for name, rows in cells.items()}
    alone = compare_rows([("a", "base")], cells, [QUALITY], seeds=3)[0]
    both = compare_rows([("a", "base"), ("b", "base"), ("a", "b")], cells, [QUALITY], seeds=3)
    assert alone["p_holm"] == alone["p"]
    assert both[0]["p_holm"] == pytest.approx(min(1, 2 * both[0]["p"]))  # the smaller of two
    assert both[2]["p_holm"] == both[2]["p"]  # another baseline, a family of one


def test_row_with_a_failed_seed_says_the_first_reason():
    found = [cell([1.0]), {"status": "failed", "why": "out of steps"}]
    row = make_row(Row(name="a", slug="a", settings={}), found, task="t", seed=None, primary="quality")
    assert (row["status"], row["why"], row["gold"]) == ("failed", "out of steps", None)


def test_one_seed_has_a_mean_and_no_interval():
    assert over_seeds([2.0]) == {"mean": 2.0, "low": None, "high": None, "n": 1, "unknown": 0}
    assert over_seeds([None])["mean"] is None


def test_worse_is_sorted_by_what_was_lost():
    prompts = [Prompt(id=str(i), content=f"p{i}") for i in range(3)]
    texts = [{"text": f"x{i}"} for i in range(3)]
    whole = {"base": [cell([3.0, 3.0, 3.0], answers=texts)], "a": [cell([2.0, 5.0, 0.0], answers=texts)]}
    assert [one["prompt"] for one in worse(prompts, whole, "quality")] == ["p2", "p0"]


def test_slices_need_few_values_and_enough_prompts():
    # "kind" has two values of five prompts; "id" has ten values; "rare" has one prompt in a slice
    prompts = [
        Prompt(id=str(i), content="p", columns={"kind": "ab"[i % 2], "id": i, "rare": "x" if i else "y"})
        for i in range(10)
    ]
    whole = {"base": [cell([float(i) for i in range(10)])]}
    found = slices(prompts, whole, "quality")
    assert [(one["column"], one["value"]) for one in found] == [("kind", "a"), ("kind", "b")]
    assert [one["gold"]["mean"] for one in found] == [(0 + 2 + 4 + 6 + 8) / 5, (1 + 3 + 5 + 7 + 9) / 5]


def test_right_or_wrong_answers_of_one_seed_have_an_exact_interval():
    # 0 of 40: low 0, and high where (1 - p)^40 = 0.025; one of 40 stays within 0..1
    none = cell_of([{"v": [0.0] * 40}], lambda one: one["v"])
    assert (none["mean"], none["low"]) == (0.0, 0.0)
    assert none["high"] == pytest.approx(1 - 0.025 ** (1 / 40))
    one = cell_of([{"v": [1.0] + [0.0] * 39 + [None]}], lambda found: found["v"])
    assert 0 < one["low"] < one["mean"] == 1 / 40 < one["high"] < 0.2
    assert one["unknown"] == 1
    # values that are not right or wrong keep the interval of the mean
    other = cell_of([{"v": [0.0, 0.5, 1.0]}], lambda found: found["v"])
    assert other["low"] < 0
