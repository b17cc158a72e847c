"""A remote reward model: batches in order, null is unknown, anything else that is no number is an error."""

from __future__ import annotations

from math import exp

import pytest

from models.stub_server import Reply, stub
from operant.errors import OperantError
from operant.meter import metered
from operant.models.endpoint.http import EndpointError, Poster
from operant.rewards.remote import RemoteReward
from operant.schema import Answer, Prompt, Scorer

PROMPTS = [Prompt(id=str(place), content=f"q{place} ") for place in range(5)]
ANSWERS = [Answer(value="x" * place) for place in range(5)]


def lengths(number, body):
    """The reward of a text is its length."""
    return Reply({"rewards": [len(text) for text in body["query"]]})


def remote(server, **settings):
    async def at_once(seconds):
        return None

    return RemoteReward(server.url, poster=Poster(timeout_s=5, retries=1, sleep=at_once), **settings)


def test_every_batch_comes_back_in_its_place():
    with stub(lengths) as server, metered() as cost:
        scorer = remote(server, batch=2)
        assert [score.value for score in scorer.score(PROMPTS, ANSWERS)] == [3.0, 4.0, 5.0, 6.0, 7.0]
        assert sorted(len(one["body"]["query"]) for one in server.seen) == [1, 2, 2]
    assert (cost.requests, cost.reward_calls) == (3, 5)
    assert isinstance(scorer, Scorer)


def test_a_query_is_prompt_and_answer_and_the_prompt_stands_beside():
    with stub(lengths) as server:
        remote(server).score(PROMPTS[2:3], ANSWERS[2:3])
        assert server.seen[0]["body"] == {"query": ["q2 xx"], "prompts": ["q2 "]}
        assert server.seen[0]["key"] is None


def test_a_conversation_is_told_as_in_hh_rlhf():
    turns = ("user", "hi"), ("assistant", "hello"), ("user", "more")
    talk = Prompt(id="t", content=tuple({"role": role, "content": text} for role, text in turns))
    with stub(lengths) as server:
        remote(server).score([talk], [Answer(value="ok")])
        (query,) = server.seen[0]["body"]["query"]
    assert query == "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more\n\nAssistant: ok"


def test_null_is_unknown_and_says_who_said_so():
    with stub(lambda number, body: Reply({"rewards": [1, None]})) as server:
        known, unknown = remote(server).score(PROMPTS[:2], ANSWERS[:2])
        assert (known.value, unknown.value) == (1.0, None) and server.url in unknown.why
        assert remote(server).compare(PROMPTS[:1], ANSWERS[:1], ANSWERS[1:2]) == [None]


@pytest.mark.parametrize("reply, told", [({"rewards": [1.0]}, "1 rewards.*2 numbers"), ({"scores": [1, 2]}, "expected"),
                                         ([1, 2], "expected"), ({"rewards": "12"}, "expected"),
                                         ({"rewards": [1, "2"]}, "'2' as a reward"),
                                         ({"rewards": [1, True]}, "'True' as a reward"),
                                         ({"rewards": [1, [2]]}, "as a reward")])  # fmt: skip
def test_a_reply_of_another_shape_is_refused(reply, told):
    with stub(lambda number, body: Reply(reply)) as server, pytest.raises(EndpointError, match=told):
        remote(server).score(PROMPTS[:2], ANSWERS[:2])


def test_a_failure_that_passes_is_tried_again():
    with stub(lambda number, body: lengths(number, body) if number else Reply(status=503)) as server:
        assert remote(server).score(PROMPTS[:1], ANSWERS[:1])[0].value == 3.0


def test_compare_asks_once_and_is_the_sigmoid_of_the_difference():
    # Lengths 4 and 3: sigmoid(1).
    with stub(lengths) as server:
        assert remote(server).compare(PROMPTS[:1], ANSWERS[1:2], ANSWERS[:1]) == [pytest.approx(1 / (1 + exp(-1)))]
        assert len(server.seen) == 1


def test_saved_and_loaded_it_is_the_same(tmp_path):
    with stub(lengths) as server:
        remote(server, batch=3, scale="logit").save(tmp_path)
        again = RemoteReward.load(tmp_path)
        assert (again.url, again.batch, again.scale) == (server.url, 3, "logit")


def test_settings_out_of_range_are_refused():
    for make in (lambda: RemoteReward("localhost/get_reward"), lambda: RemoteReward("http://localhost", batch=0)):
        with pytest.raises(OperantError):
            make()
