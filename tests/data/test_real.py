"""Files that nobody here wrote. OPERANT_TEST_DATA names the folder that holds them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from operant.data.check import check
from operant.data.layouts import parse_columns
from operant.data.load import load
from operant.data.rewrite import rewrite

ROOT = os.environ.get("OPERANT_TEST_DATA")
pytestmark = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
LLMBAR = "prompt=input,answer_1=output_1,answer_2=output_2,verdict=label"
GSM8K = "prompt=question,completion=answer"
SOLUTIONS = "prompt=question,completion=6b_finetuning.solution,label=6b_finetuning.is_correct"


@pytest.mark.parametrize(
    "name, columns, kind, rows, tie, no_verdict, bad",
    [
        ("hh_rlhf/harmless_base.jsonl.gz", None, "preference", 1812, 0, 0, {"empty_answer": 4, "no_common_prompt": 4}),
        ("hh_rlhf/helpful_base_from_vpl.jsonl.gz", None, "preference", 1487, 0, 0, {"empty_answer": 2}),
        # 91 zeros and 4 times 1.5; 31 nulls
        ("alpaca_eval/preferences_gpt4.jsonl.gz", None, "preference", 19807, 91 + 4, 31, {"empty_answer": 2}),
        ("alpaca_eval/gamed_judge_preferences.jsonl.gz", None, "preference", 1238, 1, 0, {}),
        ("llmbar/pairs.jsonl", LLMBAR, "preference", 739, 0, 0, {"identical_pair": 1, "empty_answer": 1}),
        ("gsm8k/test.jsonl", None, "prompt_target", 1019, 0, 0, {}),
        ("gsm8k/test.jsonl", GSM8K, "prompt_completion", 1019, 0, 0, {}),
        ("math_benchmarks/asdiv.jsonl", None, "prompt_target", 1722, 0, 0, {}),
        ("reasoning_small/strategyqa.jsonl", None, "prompt_target", 2090, 0, 0, {}),
        ("medical_qa/medqa.jsonl", None, "messages", 400, 0, 0, {}),
        # cause_and_effect (45 rows) and common_concept (29) have other columns in place of input
        ("instruction_induction/examples.jsonl.gz", None, "prompt_completion", 7157, 0, 0, {"missing_column": 74}),
        ("gsm8k/train.jsonl.gz", GSM8K, "prompt_completion", 7473, 0, 0, {}),
        ("gsm8k/example_model_solutions.jsonl.gz", SOLUTIONS, "unpaired", 1019, 0, 0, {}),
        ("rm_bench/rm_bench.jsonl.gz", "chosen=chosen.0,rejected=rejected.0", "preference", 620, 0, 0, {}),
        ("rm_bench/rm_bench.jsonl.gz", None, "preference", 620, 0, 0, {"wrong_type": 620}),
    ],
)
def test_counts(name, columns, kind, rows, tie, no_verdict, bad):
    report = check(Path(ROOT or "") / name, columns=columns and parse_columns(columns))
    assert (report.kind, report.rows) == (kind, rows)
    assert report.dropped == {"tie": tie, "no_verdict": no_verdict}
    assert {code: times for code, times in report.counts.items() if code in bad or code == "missing_column"} == bad
    assert report.kept == rows - tie - no_verdict - sum(bad.values())


def test_hh_prompts_end_with_the_assistants_turn():
    loaded = load(Path(ROOT or "") / "hh_rlhf/harmless_base.jsonl.gz", on_bad_row="skip")
    assert all(record.prompt.endswith("\n\nAssistant:") for record in loaded.records)
    assert not any("\n\nHuman:" in side for record in loaded.records for side in (record.chosen, record.rejected))


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "folder", "out.jsonl.gz", "out.csv.gz", "out.json"])
def test_real_pairs_come_back_the_same_from_every_container(tmp_path, name):
    loaded = load(Path(ROOT or "") / "alpaca_eval/preferences_gpt4.jsonl.gz", limit=2000, on_bad_row="skip")
    bare = [replace(record, columns={}) for record in loaded.records]
    rewrite(replace(loaded, records=tuple(bare)), tmp_path / name, to="alpaca_eval")
    read = load(tmp_path / name).records
    assert [replace(record, line=0) for record in read] == [replace(record, line=0) for record in bare]


def test_questions_become_rows_of_verl_and_come_back(tmp_path):
    loaded = load(Path(ROOT or "") / "gsm8k/test.jsonl")
    rewrite(loaded, tmp_path / "verl.parquet", to="verl")
    back = load(tmp_path / "verl.parquet")
    rewrite(back, tmp_path / "back.jsonl", to="prompt_target", form="text")
    read = load(tmp_path / "back.jsonl").records
    assert [(one.prompt, one.targets) for one in read] == [(one.prompt, one.targets) for one in loaded.records]
