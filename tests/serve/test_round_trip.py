"""Client and server over a real socket: what comes back is what the model says."""

from __future__ import annotations

import pytest

from operant.disk import content_hash
from operant.meter import metered
from operant.models.endpoint.client import Client
from operant.models.endpoint.policy import Endpoint
from operant.rewards.model import RewardModel
from operant.rewards.remote import RemoteReward
from operant.schema import Answer, Decoding, Prompt
from serve.running import on_a_socket

CONTENTS = ("a b", "c d e", ({"role": "user", "content": "b c"},), "h")
PROMPTS = [Prompt(id=content_hash(content), content=content) for content in CONTENTS]
ANSWERS = [Answer(value="c d"), Answer(value="a", finish="length"), Answer(value="e f g"), Answer(value="")]
GREEDY = Decoding(max_tokens=6, temperature=0.0)


@pytest.fixture(scope="module")
def address(app):
    with on_a_socket(app) as address:
        yield address


@pytest.fixture
def endpoint(address, tmp_path):
    return Endpoint(Client(f"{address}/v1", "tiny", key_env=None, cache=tmp_path), logps="require")


def test_greedy_answers_and_their_log_probabilities_are_the_models(endpoint, model):
    ours = endpoint.answer(PROMPTS, n=1, decoding=GREEDY, seed=0)
    theirs = model.answer(PROMPTS, n=1, decoding=GREEDY, seed=0)
    for [our], [their] in zip(ours, theirs, strict=True):
        assert (our.value, our.finish) == (their.value, their.finish)
        assert our.logps == pytest.approx(their.logps, abs=1e-5)


def test_given_answers_are_scored_as_the_model_scores_them(endpoint, model):
    expected = model.logps(PROMPTS, ANSWERS)
    assert [len(one) for one in expected] == [3, 1, 4, 1]  # with the end of sequence where the answer is finished
    for found, known in zip(endpoint.require_logps(PROMPTS, ANSWERS), expected, strict=True):
        assert found == pytest.approx(known, abs=1e-5)


def test_an_echo_of_prompt_and_answer_gives_the_same_where_they_join_cleanly(endpoint, model):
    answer = Answer(value=" c d", finish="length")
    (expected,) = model.logps(PROMPTS[:1], [answer])
    (found,) = endpoint.scoring._echoed([(PROMPTS[0], answer)])
    assert found == pytest.approx(expected, abs=1e-5)


def test_sampling_with_a_seed_can_be_repeated_and_the_cache_gives_the_same(endpoint, address):
    plain = Endpoint(Client(f"{address}/v1", "tiny", key_env=None), logps="require")
    decoding = Decoding(max_tokens=12)
    first, again, other = (plain.answer(PROMPTS, n=2, decoding=decoding, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert endpoint.answer(PROMPTS, n=2, decoding=decoding, seed=1) == first
    with metered() as cost:
        assert endpoint.answer(PROMPTS, n=2, decoding=decoding, seed=1) == first
    assert cost.requests == 0


def test_what_is_charged_is_what_was_computed(endpoint, model):
    with metered() as cost:
        (many,) = endpoint.answer(PROMPTS[:1], n=3, decoding=Decoding(max_tokens=5), seed=1)
    # Every request pays its prompt of 2 tokens; the log-probabilities are one a sampled token.
    assert (cost.requests, cost.endpoint_tokens) == (3, 3 * 2 + sum(len(answer.logps) for answer in many))


def test_a_remote_reward_is_the_local_one(address, reward_directory):
    prompts = [prompt for prompt in PROMPTS if isinstance(prompt.content, str)]
    answers = [Answer(value=text) for text in ("c d", "e", "f g h")]
    local = RewardModel.load(reward_directory / "scorer")
    remote = RemoteReward(f"{address}/get_reward", batch=2, scale="logit")
    assert [one.value for one in remote.score(prompts, answers)] == pytest.approx(
        [one.value for one in local.score(prompts, answers)], abs=1e-5
    )
    assert remote.compare(prompts, answers, answers[::-1]) == pytest.approx(
        local.compare(prompts, answers, answers[::-1]), abs=1e-5
    )
