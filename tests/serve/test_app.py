"""The server says what the model says, in OpenAI's shapes, and refuses what it cannot do."""

from __future__ import annotations

import json

import pytest

from operant.disk import content_hash
from operant.engine.policy import LanguageModel
from operant.models.text import encode_prompt
from operant.schema import Answer, Decoding, Prompt
from operant.serve import model as serving
from serve.running import WORDS, post

TALK = [{"role": "user", "content": "b c"}]
GREEDY = Decoding(max_tokens=6, temperature=0.0)
CLOSE = 1e-5


def prompt(content):
    return Prompt(id=content_hash(content), content=content)


def complete(app, text="a b", **fields):
    return post(app, "/v1/completions", {"prompt": text, "max_tokens": 6} | fields)


def chatted(app, **fields):
    return post(app, "/v1/chat/completions", {"messages": TALK, "max_tokens": 6} | fields)


def test_greedy_answers_are_the_models(app, model):
    texts = ["a b", "c", "h g f e", ""]
    expected = [many[0].value for many in model.answer([prompt(text) for text in texts], n=1, decoding=GREEDY, seed=0)]
    assert len(set(expected)) > 1
    choices = complete(app, texts, temperature=0).json()["choices"]
    assert [(one["index"], one["text"]) for one in choices] == list(enumerate(expected))


def test_a_seed_decides_and_n_answers_differ(app, model):
    fields = {"temperature": 1.0, "seed": 11, "n": 4}
    found = [one["text"] for one in complete(app, **fields).json()["choices"]]
    assert found == [one["text"] for one in complete(app, **fields).json()["choices"]]
    [expected] = model.answer([prompt("a b")], n=4, decoding=Decoding(max_tokens=6), seed=11)
    assert found == [answer.value for answer in expected] and len(set(found)) > 1


def test_without_a_seed_answers_change(app):
    found = {complete(app, temperature=1.0, max_tokens=30).json()["choices"][0]["text"] for _ in range(3)}
    assert len(found) > 1


def test_a_repeated_prompt_is_drawn_anew(app):
    first, second = complete(app, ["a b", "a b"], temperature=1.0, seed=1, max_tokens=20).json()["choices"]
    assert first["text"] != second["text"]


def test_chat_goes_through_the_template(app, model):
    answer = model.answer([prompt(tuple(TALK))], n=1, decoding=GREEDY, seed=0)[0][0]
    made = chatted(app, temperature=0).json()
    assert made["object"] == "chat.completion" and made["model"] == "tiny"
    (choice,) = made["choices"]
    assert choice["message"] == {"role": "assistant", "content": answer.value}
    assert choice["finish_reason"] == answer.finish
    # "a b c h" by the template: 4 tokens.
    assert made["usage"]["prompt_tokens"] == 4


def test_parts_of_text_are_one_text(app):
    parts = [{"role": "user", "content": [{"type": "text", "text": "b "}, {"type": "text", "text": "c"}]}]
    assert (
        chatted(app, messages=parts, temperature=0).json()["choices"]
        == chatted(app, temperature=0).json()["choices"]
    )  # fmt: skip


def test_sampled_log_probabilities_are_the_models(app, model):
    [[answer]] = model.answer([prompt(tuple(TALK))], n=1, decoding=Decoding(max_tokens=6), seed=2)
    content = chatted(app, seed=2, logprobs=True).json()["choices"][0]["logprobs"]["content"]
    assert [one["logprob"] for one in content] == pytest.approx(list(answer.logps), abs=CLOSE)
    assert "".join(one["token"] for one in content) == answer.value


def test_usage_counts_every_token_the_end_of_sequence_too(app, model):
    drawn = model.answer([prompt("a b")], n=16, decoding=Decoding(max_tokens=6), seed=5)[0]
    assert {answer.finish for answer in drawn} == {"stop", "length"}
    used = complete(app, n=16, seed=5).json()["usage"]
    sampled = sum(len(answer.tokens) for answer in drawn)
    assert used == {"prompt_tokens": 2, "completion_tokens": sampled, "total_tokens": 2 + sampled}


# Stop texts


def cut_at(app, model, stop, **fields):
    text = model.answer([prompt("a b")], n=1, decoding=Decoding(max_tokens=20), seed=4)[0][0].value
    made = complete(app, max_tokens=20, seed=4, stop=stop, **fields).json()
    return text, made


def second_word(text):
    """The first word that is another than the first."""
    first, *others = text.split()
    return next(word for word in others if word != first)


def test_a_stop_text_cuts_the_answer_and_all_that_was_sampled_is_counted(app, model):
    plain, made = cut_at(app, model, None)
    stop = second_word(plain)
    _, cut = cut_at(app, model, [stop, "zebra"])
    assert cut["choices"][0]["text"] == plain[: plain.index(stop)]
    assert cut["choices"][0]["finish_reason"] == "stop"
    assert cut["usage"] == made["usage"]


def test_log_probabilities_are_cut_with_the_text(app, model):
    plain, made = cut_at(app, model, None, logprobs=0)
    stop = second_word(plain)
    _, cut = cut_at(app, model, stop, logprobs=0)
    held, whole = cut["choices"][0]["logprobs"], made["choices"][0]["logprobs"]
    assert "".join(held["tokens"]) == cut["choices"][0]["text"]
    assert 0 < len(held["tokens"]) < len(whole["tokens"])
    assert held["token_logprobs"] == whole["token_logprobs"][: len(held["tokens"])]


# Scoring text


def scored(app, text, **fields):
    return complete(app, text, echo=True, max_tokens=0, logprobs=1, **fields).json()["choices"]


def test_text_is_scored_token_by_token(app, model):
    # The text's tokens after the first are an answer to the first: a | b c d, unfinished.
    (expected,) = model.logps([prompt("a")], [Answer(value="b c d", finish="length")])
    (choice,) = scored(app, "a b c d")
    held = choice["logprobs"]
    assert held["token_logprobs"][0] is None
    assert held["token_logprobs"][1:] == pytest.approx(list(expected), abs=CLOSE)
    assert (held["tokens"], held["text_offset"]) == (["a", " b", " c", " d"], [0, 1, 3, 5])
    assert choice["text"] == "a b c d"


@pytest.mark.parametrize("finish", ["stop", "length"])
@pytest.mark.parametrize("asked", ["a b", TALK], ids=["text", "conversation"])
def test_an_answer_given_apart_is_scored_as_in_training(asked, finish, app, model):
    content = asked if isinstance(asked, str) else tuple(asked)
    (expected,) = model.logps([prompt(content)], [Answer(value="c d", finish=finish)])
    (choice,) = scored(app, asked, operant={"answer": "c d", "finish": finish})
    assert len(expected) == 2 + (finish == "stop")
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(list(expected), abs=CLOSE)
    assert "".join(choice["logprobs"]["tokens"]) == "c d"


def test_a_list_of_texts_is_scored_in_order(app):
    texts = ["a b c", "d", "e f"]
    for found, text in zip(scored(app, texts), texts, strict=True):
        (alone,) = scored(app, text)
        assert found["logprobs"]["tokens"] == alone["logprobs"]["tokens"]
        logps = [one["logprobs"]["token_logprobs"][1:] for one in (found, alone)]
        assert logps[0] == pytest.approx(logps[1], abs=CLOSE)


def test_an_empty_answer_is_scored(app):
    (choice,) = scored(app, "a", operant={"answer": "", "finish": "length"})
    assert choice["logprobs"]["token_logprobs"] == []


# Streaming


def streamed(response):
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_a_streamed_chat_is_the_same_answer_in_pieces(app):
    fields = {"temperature": 1.0, "seed": 4, "max_tokens": 12}
    whole = chatted(app, **fields).json()
    response = chatted(app, stream=True, stream_options={"include_usage": True}, **fields)
    assert response.headers["content-type"].startswith("text/event-stream")
    *parts, last = streamed(response)
    deltas = [part["choices"][0]["delta"] for part in parts]
    assert deltas[0]["role"] == "assistant" and len(deltas) > 4
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert parts[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert last["choices"] == [] and last["usage"] == whole["usage"]


def test_a_streamed_completion_is_the_same_answer_in_pieces(app):
    parts = streamed(complete(app, seed=4, stream=True, n=2))
    texts = ["".join(p["choices"][0]["text"] for p in parts if p["choices"][0]["index"] == place) for place in (0, 1)]
    assert texts == [one["text"] for one in complete(app, seed=4, n=2).json()["choices"]]


# Refusals


@pytest.mark.parametrize(
    "fields, param",
    [
        ({"top_p": 0.9}, "top_p"), ({"presence_penalty": 1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"), ({"top_k": 5}, "top_k"), ({"tools": [{}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"top_logprobs": 3, "logprobs": True}, "top_logprobs"), ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"), ({"n": 0}, "n"), ({"n": True}, "n"), ({"n": 1000}, "n"),
        ({"seed": 1.5}, "seed"), ({"max_tokens": 0}, "max_tokens"), ({"max_tokens": 600}, "max_tokens"),
        ({"stop": ""}, "stop"), ({"stop": [1]}, "stop"),
        ({"messages": []}, "messages"), ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "judge", "content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0]"),
        ({"stream": True, "logprobs": True}, "logprobs"), ({"stream_options": {"x": 1}}, "stream_options"),
        ({"logprobs": 1}, "logprobs"), ({"operant": {"answer": "a"}}, "operant"),
    ],
)  # fmt: skip
def test_what_would_change_the_answer_and_is_not_served_is_refused(fields, param, app):
    response = chatted(app, **fields)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param and error["message"] and error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "fields",
    [{"prompt": [1, 2]}, {"prompt": None}, {"prompt": []}, {"echo": True}, {"max_tokens": 0}, {"logprobs": 5},
     {"echo": True, "max_tokens": 0, "n": 2}, {"operant": {"answer": "c"}}, {"best_of": 3}, {"suffix": "x"},
     {"echo": True, "max_tokens": 0, "operant": {"answer": 3}}, {"prompt": ["a"] * 129}],
)  # fmt: skip
def test_a_completion_that_is_not_served_is_refused(fields, app):
    response = complete(app, **fields)
    assert response.status_code == 400 and response.json()["error"]["message"]


@pytest.mark.parametrize(
    "fields",
    [{"top_p": 1}, {"top_p": 1.0}, {"top_p": None}, {"user": "me"}, {"frequency_penalty": 0},
     {"response_format": {"type": "text"}}, {"model": "tiny"}],
)  # fmt: skip
def test_fields_that_change_nothing_are_taken(fields, app):
    assert chatted(app, temperature=0, **fields).json()["choices"] == chatted(app, temperature=0).json()["choices"]


def test_a_misspelt_field_names_the_nearest(app):
    assert "did you mean 'max_tokens'" in complete(app, max_token=3).json()["error"]["message"]


def test_another_model_is_not_here(app):
    response = chatted(app, model="gpt")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_a_prompt_that_is_too_long_says_so(app):
    error = complete(app, " ".join("a" * 520)).json()["error"]
    assert error["code"] == "context_length_exceeded" and "520 tokens of prompt" in error["message"]


def test_a_text_to_score_that_is_too_long_says_so(app):
    response = complete(app, " ".join("a" * 520), echo=True, max_tokens=0)
    assert response.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("content, kind, status", [(b"{", "application/json", 400), (b"[]", "application/json", 400),
                                                   (b"{}", "text/plain", 415)])  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(content, kind, status, app):
    response = post(app, "/v1/completions", content=content, headers={"content-type": kind})
    assert response.status_code == status and response.json()["error"]["message"]


def test_an_unknown_path_is_an_error_in_the_same_shape(app):
    response = post(app, "/v1/embeddings", {})
    assert response.status_code == 404 and "/v1/embeddings" in response.json()["error"]["message"]


def test_a_request_addressed_to_another_host_is_refused(app):
    assert post(app, "/v1/completions", {"prompt": "a"}, host="rebound.example").status_code == 400


def test_a_crash_is_an_error_that_shows_no_text_of_the_prompt(app, monkeypatch):
    monkeypatch.setattr(serving, "encode_prompt", lambda *_: 1 / 0)
    response = complete(app)
    assert response.status_code == 500
    assert (
        response.json()["error"]["message"]
        == "/v1/completions failed with ZeroDivisionError; the server's log says where"
    )


def test_a_conversation_without_a_template_is_a_refusal(model):
    bare = LanguageModel(model.module, type(model.tokenizer)(tokenizer_object=model.tokenizer.backend_tokenizer,
                                                             eos_token="</s>", pad_token="<pad>"))  # fmt: skip
    from operant.serve.app import create_app

    response = chatted(create_app(serving.Served(bare, name="bare")))
    assert response.status_code == 400 and "no chat template" in response.json()["error"]["message"]


def test_the_models_are_listed(app):
    (one,) = post(app, "/v1/models").json()["data"]
    assert (one["id"], one["owned_by"]) == ("tiny", "operant")


# Tokens as texts


class Halves:
    """A tokenizer whose tokens are bytes: `é` is two of them."""

    def decode(self, ids, **settings):
        return bytes(ids).decode("utf-8", "replace")


def test_a_letter_of_two_tokens_comes_with_the_second():
    ids = tuple("aéb".encode())
    assert serving.texts_of(Halves(), ids) == ("a", "", "é", "b")


def test_spelled_pieces_join_to_the_text(model):
    for text in ("a b c", " a  b", "a zebra c "):
        ids = encode_prompt(model.tokenizer, prompt(text))
        assert "".join(serving.spelled(model.tokenizer, text, ids)) == text
    assert len(WORDS) == 8
