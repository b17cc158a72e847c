"""What goes back, in OpenAI's shapes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from operant.serve.model import Choice, Drawn
from operant.serve.requests import Asked

Made = dict[str, Any]


def head(kind: str, model: str, name: str) -> Made:
    return {"id": name, "object": kind, "created": int(time.time()), "model": model}


def usage(drawn: Drawn) -> Made:
    return {
        "prompt_tokens": drawn.prompt_tokens, "completion_tokens": drawn.completion_tokens,
        "total_tokens": drawn.prompt_tokens + drawn.completion_tokens,
    }  # fmt: skip


def chat(drawn: Drawn, asked: Asked, *, model: str, name: str) -> Made:
    choices = [
        {
            "index": place, "message": {"role": "assistant", "content": one.text}, "finish_reason": one.finish,
            "logprobs": {"content": _chat_logps(one)} if asked.logprobs else None,
        }
        for place, one in enumerate(drawn.choices)
    ]  # fmt: skip
    return head("chat.completion", model, name) | {"choices": choices, "usage": usage(drawn)}


def _chat_logps(choice: Choice) -> list[Made]:
    return [
        {"token": token, "logprob": logp, "bytes": list(token.encode("utf-8", "surrogatepass")), "top_logprobs": []}
        for token, logp in zip(choice.tokens, choice.logps, strict=True)
    ]


def completion(drawn: Drawn, asked: Asked, *, model: str, name: str) -> Made:
    choices = [
        {
            "index": place,
            "text": one.text,
            "finish_reason": one.finish,
            "logprobs": _logps(one) if asked.logprobs else None,
        }
        | ({"operant": {"answer_tokens": len(one.tokens)}} if one.apart else {})
        for place, one in enumerate(drawn.choices)
    ]
    return head("text_completion", model, name) | {"choices": choices, "usage": usage(drawn)}


def _logps(choice: Choice) -> Made:
    return {
        "tokens": list(choice.tokens), "token_logprobs": list(choice.logps), "top_logprobs": None,
        "text_offset": [0, *accumulate(map(len, choice.tokens))][: len(choice.tokens)],
    }  # fmt: skip


def events(drawn: Drawn, asked: Asked, *, model: str, name: str, is_chat: bool) -> Iterator[str]:
    """Server-sent events, a word each. The whole answer is there before the first: this is a format, not a speed."""
    first = head("chat.completion.chunk" if is_chat else "text_completion", model, name)
    for place, choice in enumerate(drawn.choices):
        if is_chat:
            yield _event(first | {"choices": [_delta(place, {"role": "assistant", "content": ""}, None)]})
        for word in re.findall(r"\s*\S+\s*|\s+", choice.text):
            part = _delta(place, {"content": word}, None) if is_chat else _text(place, word, None)
            yield _event(first | {"choices": [part]})
        last = _delta(place, {}, choice.finish) if is_chat else _text(place, "", choice.finish)
        yield _event(first | {"choices": [last]})
    if asked.stream_usage:
        yield _event(first | {"choices": [], "usage": usage(drawn)})
    yield "data: [DONE]\n\n"


def _delta(place: int, delta: Made, finish: str | None) -> Made:
    return {"index": place, "delta": delta, "finish_reason": finish}


def _text(place: int, text: str, finish: str | None) -> Made:
    return {"index": place, "text": text, "finish_reason": finish, "logprobs": None}


def _event(value: Made) -> str:
    return f"data: {json.dumps(value)}\n\n"


def error(why: str, *, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error") -> Made:
    return {"error": {"message": why, "type": kind, "param": param, "code": code}}
