"""A client of an OpenAI-compatible server, with a cache on disk keyed by what was asked."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Literal

from operant.disk import content_hash, read_json, write_json
from operant.errors import OperantError
from operant.meter import charge
from operant.models.endpoint.http import EndpointError, Poster, check_url
from operant.schema import Json

LETTERS_PER_TOKEN = 4  # the estimate where a server reports no usage: letters of request and reply, divided by four
Door = Literal["chat/completions", "completions"]


@dataclass(frozen=True)
class Client:
    """One model on one server.

    Charged per reply that came over the network: one request, and the tokens of its `usage` (estimated where there is
    none). Attempts that failed and replies read from the cache are not charged.
    """

    url: str  # up to and with /v1
    model: str
    _: KW_ONLY
    key_env: str | None = "OPENAI_API_KEY"  # the environment variable with the key; unset or None sends none
    concurrency: int = 8
    timeout_s: float = 120.0  # of one attempt
    retries: int = 4
    cache: Path | None = None  # directory; holds prompts and replies in plain text, never the key
    sleep: Callable[[float], Awaitable[object]] = field(default=asyncio.sleep, repr=False)
    rng: Random = field(default_factory=Random, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.url.rstrip("/").endswith("/completions"):
            raise OperantError(f"{self.url!r} is the address of one request; expected the part up to and with /v1")
        assert self.poster  # settings out of range are refused here, not with the first request

    @cached_property
    def poster(self) -> Poster:
        return Poster(
            key_env=self.key_env, concurrency=self.concurrency, timeout_s=self.timeout_s, retries=self.retries,
            sleep=self.sleep, rng=self.rng,
        )  # fmt: skip

    def ask(self, path: Door, requests: Sequence[Mapping[str, Json]]) -> list[dict[str, Any]]:
        """The whole reply to each request, in order; `model` is filled in. `choices` is there and has an entry.

        With a cache the same request is sent once, also within one call.
        """
        bodies = [{"model": self.model, **request} for request in requests]
        names = [self._name(path, body) if self.cache else str(place) for place, body in enumerate(bodies)]
        found = {name: reply for name in dict.fromkeys(names) if (reply := self._read(name)) is not None}
        missing = {name: body for name, body in zip(names, bodies, strict=True) if name not in found}
        order = list(missing)

        def arrived(place: int, reply: Json) -> None:
            name = order[place]
            found[name] = self._checked(path, reply)
            charge(requests=1, endpoint_tokens=tokens_of(missing[name], found[name]))
            self._write(name, missing[name], found[name])

        self.poster.post(f"{self.url.rstrip('/')}/{path}", list(missing.values()), arrived=arrived)
        return [found[name] for name in names]

    def _checked(self, path: str, reply: Json) -> dict[str, Any]:
        choices = reply.get("choices") if isinstance(reply, dict) else None
        if isinstance(reply, dict) and isinstance(choices, list) and choices and isinstance(choices[0], dict):
            return reply
        got = self.poster.hidden(json.dumps(reply))[:80]
        raise EndpointError(self.url, f"{path} answered {got}; expected an object with `choices`, one at least")

    def _name(self, path: str, body: Json) -> str:
        return content_hash({"url": self.url, "path": path, "body": body}, length=40)

    def _file(self, name: str) -> Path:
        assert self.cache is not None
        return self.cache / name[:2] / f"{name[2:]}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        if self.cache is None or not self._file(name).is_file():
            return None
        try:
            return self._checked("the cache", read_json(self._file(name))["reply"])
        except (ValueError, KeyError, TypeError, EndpointError):
            return None  # not written by us, or damaged: ask again

    def _write(self, name: str, body: Json, reply: Json) -> None:
        if self.cache is not None and not self.poster.holds_key(json.dumps([body, reply])):
            write_json(self._file(name), {"url": self.url, "body": body, "reply": reply})


def tokens_of(body: Mapping[str, Any], reply: Mapping[str, Any]) -> int:
    """Tokens of request and reply together: as `usage` says, else a quarter of their letters, rounded up."""
    usage = reply.get("usage")
    if isinstance(usage, dict):
        parts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        for counts in ([usage.get("total_tokens")], parts):
            known = [count for count in counts if type(count) is int and count >= 0]
            if len(known) == len(counts):
                return sum(known)
    asked = body.get("prompt") or [message.get("content") for message in body.get("messages") or ()]
    told = [choice.get("text") or (choice.get("message") or {}).get("content") for choice in reply["choices"]]
    return math.ceil((_letters(asked) + _letters(told)) / LETTERS_PER_TOKEN)


def _letters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_letters, value)) if isinstance(value, list | tuple) else 0
