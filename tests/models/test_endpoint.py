"""A client of servers that fail in every way: it tries again where that helps, never hangs, never shows the key."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from random import Random

import pytest

from models.stub_server import KEY, Reply, chat, stub
from operant.disk import answer_seed
from operant.errors import BadValue, NotApplicable, OperantError
from operant.meter import metered
from operant.models.endpoint.client import Client, tokens_of
from operant.models.endpoint.http import EndpointError, Poster, retry_after
from operant.models.endpoint.policy import Endpoint
from operant.schema import Answer, Decoding, Generator, Prompt

ASKED = {"messages": [{"role": "user", "content": "hi"}]}
CHAT = Prompt(id="chat", content=({"role": "user", "content": "hi"},))
TEXT = Prompt(id="text", content="a b")
LIMITED = Reply({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "7"})
BROKEN = Reply({"error": "oops"}, status=500)
TRUNCATED = Reply(raw=b'{"choices": [{"message": {"con')
CUT_OFF = Reply(raw=b'{"choices": ', announced=1000)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def client_of(server, waits=None, **settings):
    """A client whose waits are written down instead of waited for."""

    async def sleep(seconds):
        (waits if waits is not None else []).append(seconds)
        await asyncio.sleep(0)

    return Client(server.url, "m", **({"sleep": sleep, "rng": Random(0), "timeout_s": 5.0} | settings))


def in_turn(*replies):
    """The first request gets the first reply, and so on; the last one stays."""
    return lambda number, body: replies[min(number, len(replies) - 1)]


def texts(replies):
    return [reply["choices"][0]["message"]["content"] for reply in replies]


# What is tried again


@pytest.mark.parametrize("failure", [LIMITED, BROKEN, TRUNCATED, CUT_OFF, Reply(raw=b'{"choices": NaN}')],
                         ids=["429", "500", "truncated", "cut off", "NaN"])  # fmt: skip
def test_a_failure_that_may_pass_is_tried_again(failure):
    with stub(in_turn(failure, chat("yes"))) as server:
        assert texts(client_of(server).ask("chat/completions", [ASKED])) == ["yes"]
        assert len(server.seen) == 2


def test_it_waits_as_long_as_the_server_asks():
    waits = []
    with stub(in_turn(LIMITED, chat())) as server:
        client_of(server, waits).ask("chat/completions", [ASKED])
    assert waits == [7.0]


def test_waits_double_and_the_rng_shortens_each_by_up_to_a_half():
    waits, rng = [], Random(0)
    with stub(in_turn(BROKEN)) as server, pytest.raises(EndpointError, match="4 attempts"):
        client_of(server, waits, retries=3).ask("chat/completions", [ASKED])
    assert waits == [0.5 * 2**attempt * (1 - rng.random() / 2) for attempt in range(3)]


def test_a_server_that_asks_for_an_hour_is_an_error_now():
    waits = []
    with stub(in_turn(Reply(status=429, headers={"Retry-After": "3600"}))) as server:
        with pytest.raises(EndpointError, match="asks to wait 3600 s"):
            client_of(server, waits).ask("chat/completions", [ASKED])
    assert waits == []


@pytest.mark.parametrize("text, seconds", [("2", 2.0), ("0.5", 0.5), ("-1", 0.0), ("", None), ("soon", None),
                                           ("nan", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)])  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text, seconds):
    assert retry_after(text) == seconds


def test_a_refusal_is_not_tried_again_and_says_what_the_server_said():
    with stub(in_turn(Reply({"error": {"message": "no such model"}}, status=404))) as server:
        with pytest.raises(EndpointError, match="status 404: no such model") as caught:
            client_of(server).ask("chat/completions", [ASKED])
        assert len(server.seen) == 1 and caught.value.status == 404


def test_nobody_listening_is_tried_again_and_named():
    with stub(in_turn(chat())) as server:
        pass  # closed again
    waits = []
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1.*3 attempts.*ConnectError"):
        client_of(server, waits, retries=2).ask("chat/completions", [ASKED])
    assert len(waits) == 2


@pytest.mark.parametrize("reply", [[], {}, {"choices": []}, {"choices": ["x"]}, "text", None],
                         ids=["list", "empty", "no choice", "choice of text", "text", "null"])  # fmt: skip
def test_a_reply_of_another_shape_is_refused(reply):
    with stub(in_turn(Reply(reply))) as server, pytest.raises(EndpointError, match="expected an object with `choices`"):
        client_of(server).ask("chat/completions", [ASKED])


# Time and order


def test_a_server_that_drips_bytes_cannot_hang_the_client():
    # A byte every 20 ms never lets a timeout of 0.3 s between bytes pass; the deadline of the whole does.
    slow = chat("x" * 400)
    slow.drip_s = 0.02
    started = time.perf_counter()
    with stub(in_turn(slow)) as server, pytest.raises(EndpointError, match="no whole reply within 0.3 s"):
        client_of(server, timeout_s=0.3, retries=1).ask("chat/completions", [ASKED])
    assert time.perf_counter() - started < 5


def numbered(number, body):
    """Later questions are answered sooner."""
    place = int(body["messages"][0]["content"])
    time.sleep(0.02 * (8 - place))
    return chat(str(place))


def questions(count):
    return [{"messages": [{"role": "user", "content": str(place)}]} for place in range(count)]


def test_replies_come_in_the_order_asked_and_no_more_than_allowed_are_in_flight():
    with stub(numbered) as server:
        assert texts(client_of(server, concurrency=4).ask("chat/completions", questions(8))) == list("01234567")
        assert 2 <= server.most_at_once <= 4


def test_after_a_refusal_nothing_new_is_asked():
    def reply(number, body):
        time.sleep(0.02 * (number > 0))
        return chat() if number else Reply(status=400)

    with stub(reply) as server, pytest.raises(EndpointError):
        client_of(server, concurrency=2).ask("chat/completions", questions(50))
    assert len(server.seen) < 10


def test_it_works_where_an_event_loop_runs_and_charges_the_caller():
    async def notebook():
        with metered() as cost:
            return client_of(server).ask("chat/completions", [ASKED]), cost

    with stub(in_turn(chat("yes"))) as server:
        replies, cost = asyncio.run(notebook())
    assert texts(replies) == ["yes"] and cost.requests == 1


@pytest.mark.parametrize("settings", [{"concurrency": 0}, {"timeout_s": 0.0}, {"retries": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(BadValue):
        Client("http://localhost/v1", "m", **settings)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http://user:secret@host/v1",
                                 "http://host/v1/chat/completions", "http://host/v1?key=secret"])  # fmt: skip
def test_addresses_that_cannot_work_or_hold_secrets_are_refused(url):
    with pytest.raises(OperantError) as caught:
        Client(url, "m")
    assert "secret" not in str(caught.value)


# Cost


def test_usage_is_charged_and_failed_attempts_are_not():
    with stub(in_turn(BROKEN, chat())) as server, metered() as cost:
        client_of(server, concurrency=1).ask("chat/completions", [ASKED, ASKED])
    assert (cost.requests, cost.endpoint_tokens) == (2, 2 * 5)


def test_tokens_are_estimated_from_letters_where_usage_is_missing():
    # 2 letters asked, 7 told: 9 / 4, rounded up.
    reply = {"choices": [{"message": {"content": "answers"}}]}
    assert tokens_of(ASKED, reply) == tokens_of(ASKED, reply | {"usage": {"total_tokens": "many"}}) == 3
    assert tokens_of({"prompt": "abcd"}, {"choices": [{"text": "efgh"}]}) == 2
    assert tokens_of(ASKED, reply | {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}) == 2


# The cache


def test_the_same_question_is_paid_once_also_within_one_call(tmp_path):
    with stub(in_turn(chat("first"), chat("second"))) as server:
        with metered() as cost:
            client = client_of(server, cache=tmp_path)
            assert texts(client.ask("chat/completions", [ASKED, ASKED])) == ["first", "first"]
        with metered() as again:
            assert texts(client_of(server, cache=tmp_path).ask("chat/completions", [ASKED])) == ["first"]
        assert len(server.seen) == 1
    assert (cost.requests, again.requests, again.endpoint_tokens) == (1, 0, 0)


def test_what_came_before_a_failure_is_kept(tmp_path):
    with stub(in_turn(chat("0"), Reply(status=400), chat("1"))) as server:
        client = client_of(server, cache=tmp_path, concurrency=1)
        with pytest.raises(EndpointError):
            client.ask("chat/completions", questions(2))
        assert texts(client.ask("chat/completions", questions(2))) == ["0", "1"]
        assert len(server.seen) == 3


def test_another_model_or_setting_is_another_question(tmp_path):
    with stub(in_turn(chat())) as server:
        client_of(server, cache=tmp_path).ask("chat/completions", [ASKED, ASKED | {"seed": 1}])
        Client(server.url, "other", cache=tmp_path).ask("chat/completions", [ASKED])
        assert len(server.seen) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"reply": {"choices": []}}'])
def test_a_damaged_file_of_the_cache_is_asked_again(content, tmp_path):
    with stub(in_turn(chat("yes"))) as server:
        client = client_of(server, cache=tmp_path)
        client.ask("chat/completions", [ASKED])
        (file,) = tmp_path.rglob("*.json")
        file.write_text(content)
        assert texts(client.ask("chat/completions", [ASKED])) == ["yes"]
        assert json.loads(file.read_text())["reply"]["choices"]


# The key


def test_the_key_is_sent_and_stands_in_no_file(tmp_path):
    with stub(in_turn(chat())) as server:
        client = client_of(server, cache=tmp_path / "cache")
        client.ask("chat/completions", [ASKED])
        Endpoint(client).save(tmp_path / "saved")
        assert server.seen[0]["key"] == f"Bearer {KEY}"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2 and not [path for path in files if KEY in path.read_text()]
    assert KEY not in repr(client)


@pytest.mark.parametrize("reply", [Reply({"error": {"message": f"bad key {KEY}"}}, status=401), Reply(raw=KEY.encode()),
                                   Reply({"error": KEY}, status=500), Reply({"told": KEY}),
                                   Reply(raw=b"x" * 190 + KEY.encode(), status=400)])  # fmt: skip
def test_a_server_that_repeats_the_key_does_not_put_it_into_the_error(reply):
    with stub(in_turn(reply)) as server, pytest.raises(EndpointError) as caught:
        client_of(server, retries=0).ask("chat/completions", [ASKED])
    assert KEY[:8] not in str(caught.value) and "[key]" in str(caught.value)


def test_a_reply_that_holds_the_key_is_not_cached(tmp_path):
    with stub(in_turn(chat(f"your key is {KEY}"))) as server:
        client_of(server, cache=tmp_path).ask("chat/completions", [ASKED])
    assert not list(tmp_path.rglob("*.json"))


def test_a_refused_key_names_its_variable():
    with stub(in_turn(Reply(status=401))) as server, pytest.raises(EndpointError, match="key in OPENAI_API_KEY"):
        client_of(server).ask("chat/completions", [ASKED])


def test_a_key_with_a_line_break_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with stub(in_turn(chat())) as server, pytest.raises(OperantError, match="OPENAI_API_KEY") as caught:
        client_of(server).ask("chat/completions", [ASKED])
    assert "sk-" not in str(caught.value)


def test_without_a_name_no_key_is_sent():
    with stub(in_turn(Reply({"ok": 1}))) as server:
        assert Poster().post(server.url, [{}]) == [{"ok": 1}]
        assert server.seen[0]["key"] is None


# The generator


def test_every_answer_has_a_seed_of_its_own_and_the_reply_becomes_an_answer():
    with stub(lambda number, body: chat(str(body["seed"]), finish="length")) as server:
        endpoint = Endpoint(client_of(server))
        many = endpoint.answer([CHAT, TEXT_CHAT], n=2, decoding=Decoding(max_tokens=9, temperature=0.5), seed=3)
    wanted = [[str(answer_seed(3, prompt.id, j) >> 32) for j in range(2)] for prompt in (CHAT, TEXT_CHAT)]
    assert [[answer.value for answer in row] for row in many] == wanted
    assert {answer.finish for row in many for answer in row} == {"length"}
    sent = server.seen[0]["body"]
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"]) == (9, 0.5, 1) and "logprobs" not in sent
    assert isinstance(endpoint, Generator)


TEXT_CHAT = Prompt(id="other", content=({"role": "user", "content": "a b"},))


def test_texts_go_to_completions_or_become_a_message():
    def reply(number, body):
        return (
            chat("said") if "messages" in body else Reply({"choices": [{"text": "went on", "finish_reason": "stop"}]})
        )

    with stub(reply) as server:
        client = client_of(server)
        [[plain]] = Endpoint(client).answer([TEXT], n=1, decoding=Decoding(), seed=0)
        [[said]] = Endpoint(client, text_as="message").answer([TEXT], n=1, decoding=Decoding(), seed=0)
    assert (plain.value, said.value) == ("went on", "said")
    assert [one["path"] for one in server.seen] == ["/v1/completions", "/v1/chat/completions"]
    assert server.seen[1]["body"]["messages"] == [{"role": "user", "content": "a b"}]


def test_extra_fields_are_added_and_null_takes_ours_away():
    with stub(in_turn(chat())) as server:
        extra = {"top_p": None, "reasoning_effort": "low"}
        Endpoint(client_of(server), extra=extra).answer([CHAT], n=1, decoding=Decoding(), seed=0)
    sent = server.seen[0]["body"]
    assert "top_p" not in sent and sent["reasoning_effort"] == "low"


def with_logps(*values):
    return chat("yes", logprobs={"content": [{"token": "t", "logprob": value} for value in values]})


def one_answer(server, *, temperature=1.0, **settings):
    endpoint = Endpoint(client_of(server), **settings)
    return endpoint.answer([CHAT], n=1, decoding=Decoding(temperature=temperature), seed=0)[0][0]


def test_log_probabilities_are_taken_where_they_are_asked_for():
    with stub(in_turn(with_logps(-1.0, -0.5))) as server:
        assert one_answer(server, logps="require").logps == (-1.0, -0.5)
        assert one_answer(server).logps is None
        assert [one["body"].get("logprobs") for one in server.seen] == [True, None]


@pytest.mark.parametrize("reply", [chat(), with_logps(-1.0, None), chat(logprobs={"content": None})],
                         ids=["none", "a gap", "null"])  # fmt: skip
def test_missing_log_probabilities_are_none_and_an_error_only_where_they_are_required(reply):
    with stub(in_turn(reply)) as server:
        assert one_answer(server, logps="ask").logps is None
        with pytest.raises(EndpointError, match="no log-probabilities, which were asked for"):
            one_answer(server, logps="require")


def test_a_tempered_answer_has_no_log_probabilities():
    # Servers differ in whether theirs are before or after the temperature.
    with stub(in_turn(with_logps(-1.0))) as server:
        assert one_answer(server, logps="ask", temperature=0.5).logps is None
        with pytest.raises(OperantError, match="temperature 0.5"):
            one_answer(server, logps="require", temperature=0.5)


@pytest.mark.parametrize("reply, told", [(chat(finish=None), "finish_reason is None"), (chat(3), "no 'content'"),
                                         (chat(message="x"), "no 'content'")])  # fmt: skip
def test_a_choice_of_another_shape_is_refused(reply, told):
    with stub(in_turn(reply)) as server, pytest.raises(EndpointError, match=told):
        one_answer(server)


def test_a_refusal_is_an_answer_and_the_reason_is_kept():
    refused = chat(None, finish="content_filter")
    refused.body["choices"][0]["message"]["refusal"] = "I cannot"
    with stub(in_turn(refused)) as server:
        answer = one_answer(server)
    assert (answer.value, answer.finish, answer.trace) == ("I cannot", "stop", {"finish_reason": "content_filter"})


def echo(tokens, values):
    choice = {"text": "", "finish_reason": "length", "logprobs": {"tokens": tokens, "token_logprobs": values}}
    return Reply({"choices": [choice]})


def refuses_operant(reply):
    return lambda number, body: (
        Reply({"error": {"message": "unknown field"}}, status=400) if "operant" in body else reply
    )


@pytest.mark.parametrize("server_of", [in_turn, refuses_operant], ids=["ignores the field", "refuses the field"])
def test_given_answers_are_scored_from_an_echo(server_of):
    with stub(server_of(echo(["a", " b", " c", " d"], [None, -1.0, -2.0, -3.0]))) as server:
        logps = Endpoint(client_of(server)).logps([TEXT], [Answer(value=" c d")])
        sent = server.seen[-1]["body"]
    assert logps == [(-2.0, -3.0)]
    assert (sent["prompt"], sent["echo"], sent["max_tokens"]) == ("a b c d", True, 0)


@pytest.mark.parametrize(
    "reply",
    [
        echo(["a", " b c", " d"], [None, -1.0, -2.0]),  # a token across the start of the answer
        echo(["a", " b", " c", " d", " e"], [None, -1.0, -2.0, -3.0, -4.0]),  # a token that nobody gave
        echo(["a", " b", " c", " d"], [None, -1.0, None, -3.0]), echo(["a"], []), chat(),
        Reply({"error": "no echo"}, status=400),
    ],
    ids=["across", "sampled", "gap", "lengths", "no logprobs", "refused"],
)  # fmt: skip
def test_where_the_server_cannot_score_the_answer_is_none_and_an_error_on_demand(reply):
    with stub(in_turn(reply)) as server:
        endpoint = Endpoint(client_of(server))
        assert endpoint.logps([TEXT], [Answer(value=" c d")]) is None
        with pytest.raises(EndpointError, match="no log-probabilities of given answers"):
            endpoint.require_logps([TEXT], [Answer(value=" c d")])


def test_a_server_that_is_down_is_an_error_and_not_a_missing_feature():
    with stub(in_turn(BROKEN)) as server, pytest.raises(EndpointError, match="status 500"):
        Endpoint(client_of(server, retries=1)).logps([TEXT], [Answer(value=" c")])


def test_it_has_no_kl_and_no_points():
    endpoint = Endpoint(Client("http://localhost/v1", "m"))
    kl = endpoint.kl(endpoint, [TEXT], [Answer(value="c")])
    assert (kl.values, kl.kind) == (None, "none") and "distribution" in kl.why
    assert endpoint.points() == []


def test_a_name_on_the_command_line_is_model_server_and_kind():
    endpoint = Endpoint.of("endpoint:org/some@model@http://localhost:8000/v1")
    assert (endpoint.client.model, endpoint.client.url) == ("org/some@model", "http://localhost:8000/v1")
    assert endpoint.text_as == "completion"
    assert Endpoint.of("endpoint:m@http://localhost:8000/v1#message").text_as == "message"


@pytest.mark.parametrize("spec", ["endpoint:m", "endpoint:@http://x/v1", "m@http://x/v1", "endpoint:m@ftp://x",
                                  "endpoint:m@http://x/v1#chat"])  # fmt: skip
def test_another_name_is_refused_with_the_form(spec):
    with pytest.raises(OperantError, match=r"expected endpoint:MODEL@http"):
        Endpoint.of(spec)


def test_it_has_neither_weights_nor_a_tokenizer():
    endpoint = Endpoint.of("endpoint:m@http://localhost/v1")
    with pytest.raises(NotApplicable, match="no weights"):
        assert endpoint.module
    with pytest.raises(NotApplicable, match="tokenizer"):
        assert endpoint.tokenizer


def test_saved_and_loaded_it_sends_no_key_unless_told(tmp_path):
    with stub(in_turn(chat("yes"))) as server:
        Endpoint(client_of(server), text_as="message").save(tmp_path)
        for settings in ({}, {"key_env": "OPENAI_API_KEY"}):
            again = Endpoint.load(tmp_path, **settings)
            assert again.answer([TEXT], n=1, decoding=Decoding(), seed=0)[0][0].value == "yes"
        assert [one["key"] for one in server.seen] == [None, f"Bearer {KEY}"]


def test_importing_it_costs_neither_torch_nor_a_network_library():
    code = "import sys, operant.models.endpoint.policy; sys.exit(bool({'torch', 'httpx2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
