"""Real solutions of GSM8K, and what four systems answered. OPERANT_TEST_DATA names the folder that holds them."""

import gzip
import json
import os
from pathlib import Path

import pytest

from operant.domains.text.maths.verifier import AnswerVerifier, Reading
from operant.schema import Answer, Prompt

ROOT = os.environ.get("OPERANT_TEST_DATA")
pytestmark = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def rows(name):
    path = Path(ROOT or "") / "gsm8k" / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [json.loads(line) for line in file]


def judged(references, answers, **settings):
    prompts = [Prompt(id=str(place), content="", columns={"target": one}) for place, one in enumerate(references)]
    return [one.value for one in AnswerVerifier(**settings).score(prompts, [Answer(value=text) for text in answers])]


def changed(solution):
    """The same text with a final number that is one more."""
    head, mark, last = solution.rpartition("#### ")
    return head + mark + str(int(last.replace(",", "")) + 1)


@pytest.mark.parametrize("name, count", [("test.jsonl", 1019), ("train.jsonl.gz", 7473)])
def test_own_solutions_are_right_and_changed_ones_are_wrong(name, count):
    solutions = [row["answer"] for row in rows(name)]
    assert judged(solutions, solutions) == [1.0] * count
    assert judged(solutions, [changed(text) for text in solutions]) == [0.0] * count


@pytest.mark.parametrize("system", SYSTEMS)
def test_agreement_with_the_published_labels(system):
    data = rows("example_model_solutions.jsonl.gz")
    reading = Reading(references=("says",))  # these references end in "A: 18"
    found = judged([row["ground_truth"] for row in data], [row[system]["solution"] for row in data], reading=reading)
    disagreements = [row["question"] for row, one in zip(data, found, strict=True) if one != row[system]["is_correct"]]
    assert len(data) == 1019 and disagreements == []
