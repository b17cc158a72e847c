"""A reward model as a scorer: nothing but prompt and answer decides the score."""

from __future__ import annotations

from math import exp

import pytest
import torch

import tiny
from operant.models.heads import new_reward_head
from operant.rewards.model import RewardModel, win_probability
from operant.schema import Answer, Prompt


@pytest.fixture(scope="module")
def model():
    base = tiny.base()
    head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(0))
    return RewardModel(head, base.tokenizer, max_length=96)


@pytest.fixture(scope="module")
def rows():
    """Sixteen prompts and answers of many lengths."""
    pairs = tiny.Blind(knobs=tiny.KNOBS).pairs("train")[:8]
    prompts = [pair.prompt for pair in pairs] * 2
    texts = [pair.chosen.value for pair in pairs] + [pair.rejected.value.split(" . ")[0] for pair in pairs]
    return prompts, [Answer(value=text) for text in texts]


def values(model, prompts, answers):
    return [score.value for score in model.score(prompts, answers)]


def test_the_batch_changes_nothing(model, rows):
    prompts, answers = rows
    alone = [values(model, [prompt], [answer])[0] for prompt, answer in zip(prompts, answers, strict=True)]
    assert len(set(alone)) == len(alone)
    assert values(model, prompts, answers) == pytest.approx(alone, abs=1e-5)


def test_the_order_changes_nothing(model, rows):
    prompts, answers = rows
    backward = values(model, prompts[::-1], answers[::-1])[::-1]
    assert values(model, prompts, answers) == pytest.approx(backward, abs=1e-5)


def test_padding_changes_nothing(model, rows):
    # Beside an answer of nearly the full length everything else is padded to it.
    prompts, answers = rows
    long = Answer(value=" ".join(["the build is good ."] * 12))
    padded = values(model, [*prompts, prompts[0]], [*answers, long])[:-1]
    assert padded == pytest.approx(values(model, prompts, answers), abs=1e-5)


def test_the_disk_changes_nothing(model, rows, tmp_path):
    model.save(tmp_path)
    loaded = RewardModel.load(tmp_path)
    assert values(loaded, *rows) == values(model, *rows)
    assert (loaded.max_length, loaded.scale) == (model.max_length, model.scale)


def test_how_an_answer_came_about_changes_nothing(model, rows):
    # Sampled answers carry ids, read ones do not; the text decides, and so does the same text without its last EOS.
    prompts, answers = rows
    ids = tuple(model.tokenizer(answers[0].value, add_special_tokens=False)["input_ids"])
    sampled = Answer(value=answers[0].value, tokens=(*ids, model.tokenizer.eos_token_id), logps=(0.0,) * len(ids))
    cut = Answer(value=answers[0].value, finish="length")
    one = values(model, prompts[:1], answers[:1])
    assert values(model, prompts[:1], [sampled]) == one
    assert values(model, prompts[:1], [cut]) == one


def test_prompt_and_answer_both_count(model, rows):
    prompts, answers = rows
    first = values(model, prompts[:1], answers[:1])
    assert values(model, prompts[1:2], answers[:1]) != first
    assert values(model, prompts[:1], answers[1:2]) != first


def test_a_comparison_is_the_sigmoid_of_the_difference(model, rows):
    prompts, answers = rows
    one, two = values(model, prompts[:2], answers[:2])
    (win,) = model.compare(prompts[:1], answers[:1], [answers[8]])
    lead = values(model, prompts[:1], answers[:1])[0] - values(model, prompts[:1], [answers[8]])[0]
    assert win == pytest.approx(1 / (1 + exp(-lead)), abs=1e-5)
    assert model.compare(prompts[:1], [answers[8]], answers[:1]) == [pytest.approx(1 - win, abs=1e-5)]
    assert one != two


def test_a_comparison_with_the_unknown_is_unknown():
    assert win_probability(None, 1.0) is None
    assert win_probability(1.0, None) is None
    assert win_probability(2.0, 2.0) == 0.5
    assert (win_probability(800.0, 0.0), win_probability(0.0, 800.0)) == (1.0, 0.0)  # no overflow


def test_a_long_row_is_cut_as_in_training(model, rows):
    # Room for 8 ids: the prompt keeps its last 4, the answer its first 4.
    short = RewardModel(model.head, model.tokenizer, max_length=8)
    prompt, answer = rows[0][0], rows[1][0]
    encoded = short.encode(prompt, answer)
    whole = model.encode(prompt, answer)
    assert (encoded.prompt, encoded.answer) == (whole.prompt[-4:], whole.answer[:4])


def test_a_score_that_is_no_number_is_unknown(model, rows, monkeypatch):
    monkeypatch.setattr("operant.rewards.model.all_rewards", lambda head, tokenizer, rows: [1.0, float("nan")])
    known, unknown = model.score(rows[0][:2], rows[1][:2])
    assert known.value == 1.0
    assert (unknown.value, unknown.why) == (None, "the reward model gave nan")


def test_nothing_to_score_is_no_score(model):
    assert model.score([], []) == []
    with pytest.raises(ValueError, match="argument"):
        model.score([Prompt(id="p", content="review")], [])


def test_a_model_that_calls_itself_a_regression_is_no_logit(model, tmp_path):
    model.save(tmp_path)
    assert RewardModel.load(tmp_path).scale == "logit"
    regression = RewardModel.load(tmp_path)
    regression.head.config.problem_type = "regression"
    regression.save(tmp_path / "regression")
    assert RewardModel.load(tmp_path / "regression").scale == "raw"
