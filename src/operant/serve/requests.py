"""What the body of a request may say. A field that would change the answer is served or refused, never ignored."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from operant.errors import OperantError
from operant.schema import Finish

ROLES = ("system", "developer", "user", "assistant")
MOST_ANSWERS = 128  # of one request: prompts times n
COMMON = ("model", "max_tokens", "temperature", "n", "seed", "stop", "stream", "stream_options", "logprobs")
CHAT = (*COMMON, "messages", "max_completion_tokens")
COMPLETION = (*COMMON, "prompt", "echo", "operant")
IGNORED = ("user", "metadata", "store", "service_tier")  # they say nothing about the answer
# Fields whose other values are not served, with the one that changes nothing; null is as good everywhere.
NEUTRAL: dict[str, Any] = {
    "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0, "logit_bias": {}, "best_of": 1,
    "suffix": "", "tools": [], "response_format": {"type": "text"},
}  # fmt: skip


class BadRequest(OperantError):
    """Status 400 (or another 4xx), with the field at fault."""

    def __init__(self, why: str, *, param: str | None = None, code: str | None = None, status: int = 400):
        super().__init__(why)
        self.param, self.code, self.status = param, code, status


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, checked."""

    contents: tuple[Any, ...]  # of each prompt: text or messages
    max_tokens: int | None  # None: as many as fit
    temperature: float
    n: int
    seed: int
    stop: tuple[str, ...]
    stream: bool
    stream_usage: bool
    logprobs: bool
    echo: bool = False  # score the text, sample nothing
    answer: str | None = None  # score this answer to the prompt, of the field `operant`
    finish: Finish = "stop"


def parse_chat(body: Any, *, model: str) -> Asked:
    fields = _fields(body, CHAT, model=model)
    most = fields.get("max_completion_tokens", fields.get("max_tokens"))
    return Asked(
        contents=(_messages(fields.get("messages")),), logprobs=_flag(fields, "logprobs"),
        max_tokens=None if most is None else _whole(most, "max_tokens", low=1), **_common(fields, prompts=1),
    )  # fmt: skip


def parse_completion(body: Any, *, model: str) -> Asked:
    fields = _fields(body, COMPLETION, model=model)
    contents = _prompts(fields.get("prompt"), apart="operant" in fields)
    echo = _flag(fields, "echo")
    most = _whole(fields.get("max_tokens", 16), "max_tokens", low=0)
    if echo != (most == 0):
        raise BadRequest("`echo` is served together with max_tokens 0 alone: it scores text", param="echo")
    counted = _whole(fields.get("logprobs", 0), "logprobs", low=0, high=1)
    asked = Asked(
        contents=contents, max_tokens=most, echo=echo, logprobs=echo or counted > 0 or "logprobs" in fields,
        **_given(fields.get("operant")), **_common(fields, prompts=len(contents)),
    )  # fmt: skip
    if echo and (asked.n > 1 or asked.stream or asked.stop):
        raise BadRequest("scoring text (`echo`) goes with neither n, stop nor stream", param="echo")
    if asked.answer is not None and not echo:
        raise BadRequest("`operant` gives an answer to score; send it with echo and max_tokens 0", param="operant")
    return asked


def _fields(body: Any, known: Iterable[str], *, model: str) -> dict[str, Any]:
    """The fields that are set, after everything unknown or unserved has been refused."""
    if not isinstance(body, dict):
        raise BadRequest(f"the body is a {type(body).__name__}; expected a JSON object")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name in NEUTRAL and value != NEUTRAL[name]:
            raise BadRequest(f"{name} is {value!r}; {NEUTRAL[name]!r} is all that is served", param=name)
        if name not in (*known, *IGNORED, *NEUTRAL):
            near = get_close_matches(name, known, n=1)
            raise BadRequest(
                f"no field {name!r} is served" + (f"; did you mean {near[0]!r}?" if near else ""), param=name
            )
    if given.get("model", model) != model:
        raise BadRequest(
            f"no model {given['model']!r} here; {model!r} is served", param="model", code="model_not_found", status=404
        )
    return given


def _common(fields: Mapping[str, Any], *, prompts: int) -> dict[str, Any]:
    n = _whole(fields.get("n", 1), "n", low=1, high=MOST_ANSWERS)
    if n * prompts > MOST_ANSWERS:
        raise BadRequest(f"{prompts} prompts with n {n}; expected {MOST_ANSWERS} answers at most", param="n")
    stream, options = _flag(fields, "stream"), fields.get("stream_options", {})
    if not isinstance(options, dict) or set(options) - {"include_usage"}:
        raise BadRequest("stream_options holds more than include_usage", param="stream_options")
    if stream and fields.get("logprobs"):
        raise BadRequest("log-probabilities are not streamed; ask for one or the other", param="logprobs")
    seed = fields.get("seed")
    return {
        "n": n, "stream": stream, "stream_usage": bool(options.get("include_usage")), "stop": _stop(fields.get("stop")),
        "temperature": _number(fields.get("temperature", 1.0), "temperature", low=0, high=100),
        "seed": secrets.randbits(31) if seed is None else _whole(seed, "seed", low=-(2**63), high=2**63 - 1),
    }  # fmt: skip


def _stop(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise BadRequest(f"stop is {value!r}; expected texts that are not empty", param="stop")
    return tuple(stops)


def _given(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    usable = isinstance(value, dict) and isinstance(value.get("answer"), str) and set(value) <= {"answer", "finish"}
    if not usable or value.get("finish", "stop") not in ("stop", "length"):
        raise BadRequest("operant holds {answer: text, finish: 'stop' or 'length'} and nothing else", param="operant")
    return {"answer": value["answer"], "finish": value.get("finish", "stop")}


def _prompts(value: Any, *, apart: bool) -> tuple[Any, ...]:
    """Texts; with an answer given apart, one text or one conversation."""
    if isinstance(value, str):
        return (value,)
    if apart:
        return (_messages(value, name="prompt"),)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise BadRequest("prompt is a text or a list of texts; token ids are not served", param="prompt")
    return tuple(value)


def _messages(value: Any, *, name: str = "messages") -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise BadRequest(f"{name} is a list of at least one message", param=name)
    return tuple(_message(one, f"{name}[{place}]") for place, one in enumerate(value))


def _message(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or value.get("role") not in ROLES:
        raise BadRequest(f"{name} needs a role of {', '.join(ROLES)}", param=name)
    content = value.get("content")
    if isinstance(content, list) and all(isinstance(one, dict) and one.get("type") == "text" for one in content):
        content = "".join(str(one.get("text", "")) for one in content)
    if not isinstance(content, str) or set(value) - {"role", "content"}:
        raise BadRequest(f"{name} holds a role and a content of text; nothing else is served", param=name)
    return {"role": value["role"], "content": content}


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{name} is {value!r}; expected true or false", param=name)
    return value


def _whole(value: Any, name: str, *, low: int, high: int = 2**31) -> int:
    if type(value) is not int or not low <= value <= high:
        raise BadRequest(f"{name} is {value!r}; expected a whole number from {low} to {high}", param=name)
    return value


def _number(value: Any, name: str, *, low: float, high: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
        raise BadRequest(f"{name} is {value!r}; expected a number from {low:g} to {high:g}", param=name)
    return float(value)
