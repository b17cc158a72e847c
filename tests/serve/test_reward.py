"""/get_reward gives what the reward model gives."""

from __future__ import annotations

import pytest

from operant.rewards.model import RewardModel
from operant.schema import Answer, Prompt
from serve.running import post

PROMPTS, ANSWERS = ["a b", "c", "d e f"], ["c d", "e", "g h a b"]


def local(directory, prompts, answers):
    asked = [Prompt(id="", content=text) for text in prompts]
    scores = RewardModel.load(directory / "scorer").score(asked, [Answer(value=text) for text in answers])
    return [score.value for score in scores]


def test_with_prompts_the_answer_is_encoded_apart(app, reward_directory):
    query = [prompt + answer for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]  # "a bc d": one unknown word
    rewards = post(app, "/get_reward", {"query": query, "prompts": PROMPTS}).json()["rewards"]
    assert rewards == pytest.approx(local(reward_directory, PROMPTS, ANSWERS), abs=1e-5)
    assert len(set(rewards)) == 3


def test_a_query_alone_is_scored_as_one_text(app, reward_directory):
    rewards = post(app, "/get_reward", {"query": ["a b c d"]}).json()["rewards"]
    assert rewards == pytest.approx(local(reward_directory, ["a b"], ["c d"]), abs=1e-5)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"query": "a"}, {"query": []}, {"query": [1]}, {"query": ["a"], "prompts": ["b"]},
     {"query": ["a"], "prompts": ["a", "b"]}, {"query": ["a"], "x": 1}, {"query": ["a"] * 1025}],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused(body, app):
    response = post(app, "/get_reward", body)
    assert response.status_code == 400 and response.json()["error"]["message"]


def test_labels_of_openrlhf_are_taken(app):
    assert len(post(app, "/get_reward", {"query": ["a"], "prompts": ["a"], "labels": ["x"]}).json()["rewards"]) == 1
