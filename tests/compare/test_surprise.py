"""The metric `surprise`: at test documents, lower is better, absent where there is nothing to read it from."""

from types import SimpleNamespace

import pytest
import torch

import tiny
from operant.compare.aggregate import compare_rows
from operant.compare.grade import _surprise
from operant.schema import Metric

QUALITY = Metric(name="quality")


def cell(surprise):
    return {"status": "done", "why": "", "metrics": {"quality": [1.0, 2.0]}, "surprise": surprise}


def test_less_surprise_is_better():
    # differences -0.5 at both documents of both seeds
    cells = {"a": {0: cell([1.0, 2.0]), 1: cell([1.0, 2.0])}, "base": {0: cell([1.5, 2.5]), 1: cell([1.5, 2.5])}}
    found = {one["metric"]: one for one in compare_rows([("a", "base")], cells, [QUALITY], seeds=2)}
    assert (found["surprise"]["difference"], found["surprise"]["verdict"]) == (-0.5, "better")


def test_a_row_without_log_probabilities_has_none():
    cells = {"a": {0: cell(None)}, "base": {0: cell([1.5, 2.5])}}
    assert [one["metric"] for one in compare_rows([("a", "base")], cells, [QUALITY], seeds=1)] == ["quality"]


def test_it_is_the_mean_over_the_tokens_of_a_document():
    setup = SimpleNamespace(task=tiny.graded(), base=tiny.base(), options=tiny.OPTIONS)
    found = _surprise(tiny.base(), setup)
    document = tiny.graded().documents("test")[0]
    tokenizer, module = tiny.base().tokenizer, tiny.base().module
    text = tokenizer("".join(document.segments), return_tensors="pt")["input_ids"][0].tolist()
    prompt = tokenizer(document.prompt.content)["input_ids"]
    ids = torch.tensor([[*prompt, *text, tokenizer.eos_token_id]])
    labels = ids.clone()
    labels[0, : len(prompt)] = -100  # the prompt is read and not counted; EOS is
    with torch.no_grad():
        expected = float(module(ids, labels=labels).loss)
    assert found[0] == pytest.approx(expected, abs=1e-5) and len(found) == tiny.KNOBS.test_pairs
