"""Splits by prompt, and the coin that decides who is shown first."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from operant.data.records import Record
from operant.data.split import prompt_id, split_prompts
from operant.data.swap import swap_sides
from operant.errors import OperantError

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


def record(prompt="p", chosen="a", rejected="b", **others):
    return Record(kind="preference", line=1, prompt=prompt, chosen=chosen, rejected=rejected, **others)


MANY = [record(f"prompt {number // 2}", chosen=f"answer {number}") for number in range(2000)]


def test_no_prompt_stands_in_two_splits_and_no_row_is_lost():
    found = split_prompts(MANY, seed=0, shares=SHARES)
    prompts = [{row.prompt for row in rows} for rows in found.values()]
    assert len(set.union(*prompts)) == sum(map(len, prompts)) == 1000
    assert sum(map(len, found.values())) == 2000
    for name, share in SHARES.items():
        # 1000 prompts: the count is binomial; 4 standard deviations
        count = len({row.prompt for row in found[name]})
        assert abs(count - 1000 * share) < 4 * math.sqrt(1000 * share * (1 - share))


def test_the_place_of_a_prompt_hangs_on_seed_and_prompt_alone():
    whole, half = (split_prompts(rows, seed=3, shares=SHARES) for rows in (MANY, MANY[::-2]))
    assert all({row.prompt for row in half[name]} <= {row.prompt for row in whole[name]} for name in SHARES)
    other = split_prompts(MANY, seed=4, shares=SHARES)
    assert {row.prompt for row in other["test"]} != {row.prompt for row in whole["test"]}


def test_the_files_own_split_is_honoured():
    rows = [replace(row, split="test" if row.prompt.endswith("7") else "train") for row in MANY]
    found = split_prompts(rows, seed=0, shares=SHARES)
    assert {row.prompt for row in found["test"]} == {row.prompt for row in rows if row.split == "test"}
    # the file has no valid split, so it is taken from train: 0.1 / (0.8 + 0.1) of its 900 prompts
    share = 0.1 / 0.9
    count = len({row.prompt for row in found["valid"]})
    assert abs(count - 900 * share) < 4 * math.sqrt(900 * share * (1 - share))


def test_a_prompt_in_two_of_the_files_splits_goes_to_train():
    rows = [record(split="test"), record(split="train", chosen="c"), record("q", split="test")]
    found = split_prompts(rows, seed=0, shares={"train": 0.5, "test": 0.5})
    assert (len(found["train"]), len(found["test"])) == (2, 1)


def test_shares_are_checked():
    with pytest.raises(OperantError, match="expected 1"):
        split_prompts(MANY, seed=0, shares={"train": 0.5, "test": 0.4})
    with pytest.raises(OperantError, match="split 'valid', for which there is no share"):
        split_prompts([record(split="valid")], seed=0, shares={"train": 0.5, "test": 0.5})


def test_prompt_id_is_the_same_in_another_process():
    command = "from operant.data.split import prompt_id; print(prompt_id('Wh\\u00fcch?'))"
    # Python's own hash would differ: its seed is drawn anew in each process
    there = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    assert there == prompt_id("Wh\u00fcch?") and len(there) == 16
    assert prompt_id("x") != prompt_id(({"role": "user", "content": "x"},))


def test_swapping_leaves_an_always_second_judge_at_a_half():
    second = swap_sides(MANY, seed=0)
    # 2000 fair coins: 4 standard deviations are 4 * sqrt(2000 / 4)
    assert abs(sum(second) - 1000) < 4 * math.sqrt(2000 / 4)
    assert swap_sides(MANY[::-1], seed=0) == second[::-1]  # order changes nothing
    assert swap_sides(MANY, seed=1) != second


def test_the_coin_does_not_know_who_won():
    # the same two texts are shown in the same order whoever won, so the chosen one is second in exactly one of the two
    opposite = [replace(row, chosen=row.rejected, rejected=row.chosen) for row in MANY]
    assert all(a != b for a, b in zip(swap_sides(MANY, seed=0), swap_sides(opposite, seed=0), strict=True))


def test_only_pairs_have_sides():
    with pytest.raises(OperantError, match="a preference pair"):
        swap_sides([Record(kind="text", line=7, text="x")], seed=0)
