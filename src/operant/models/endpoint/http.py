"""JSON over HTTP POST: many at once, tried again where that helps, each with a deadline, results in the order asked."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any
from urllib.parse import urlsplit

from operant.errors import OperantError, require
from operant.schema import Json

LONGEST_WAIT_S = 120.0  # a server that asks for more is an error now, not a run that seems to hang
LARGEST_REPLY = 64 * 2**20  # bytes
FIRST_WAIT_S, LARGEST_BACKOFF_S = 0.5, 30.0


class EndpointError(OperantError):
    """What a server refused, or did not give. `status` is the HTTP status of a refusal."""

    def __init__(self, url: str, why: str, *, status: int | None = None):
        super().__init__(f"{url}: {why}")
        self.status = status


class _Again(Exception):
    """Worth another attempt, after `wait` seconds where the server says so."""

    def __init__(self, why: str, *, wait: float | None = None):
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, kw_only=True)
class Poster:
    """Posts JSON. The key is read from the environment when needed and stands in no error.

    Tried again: status 429 (after its Retry-After) and 5xx, failed connections, deadlines, replies that are not JSON.
    Waits double from 0.5 s to at most 30 s, each shortened at random by up to a half so that clients do not march in
    step. Any other status that is not 2xx is an EndpointError at once.
    """

    key_env: str | None = None  # name of the environment variable that holds the key; None sends no key
    concurrency: int = 8  # requests in flight
    timeout_s: float = 120.0  # of one attempt, from connecting to the last byte
    retries: int = 4  # attempts after the first
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    rng: Random = field(default_factory=Random, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(self.concurrency >= 1, "concurrency", self.concurrency, "at least 1")
        require(0 < self.timeout_s < math.inf, "timeout_s", self.timeout_s, "seconds above 0")
        require(self.retries >= 0, "retries", self.retries, "0 or more")

    def post(
        self, url: str, bodies: Sequence[Json], *, arrived: Callable[[int, Json], None] | None = None
    ) -> list[Json]:
        """The reply to each body, in order. `arrived(place, reply)` is called as each comes in, and may refuse it.

        After a failure nothing new is sent, but what is in flight is waited for: it is paid for.
        """
        check_url(url)
        found: list[Json] = [None] * len(bodies)

        def keep(place: int, reply: Json) -> None:
            if arrived is not None:
                arrived(place, reply)
            found[place] = reply

        if bodies:
            _run(self._all(url, bodies, keep))
        return found

    async def _all(self, url: str, bodies: Sequence[Json], keep: Callable[[int, Json], None]) -> None:
        import httpx2

        waiting = deque(enumerate(bodies))
        many = min(self.concurrency, len(bodies))

        async def work(client: Any) -> None:
            while waiting:
                place, body = waiting.popleft()
                try:
                    keep(place, await self._one(client, url, body))
                except BaseException:
                    waiting.clear()
                    raise

        limits = httpx2.Limits(max_connections=many)
        async with httpx2.AsyncClient(timeout=None, limits=limits, headers=self._headers()) as client:
            ended = await asyncio.gather(*(work(client) for _ in range(many)), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _one(self, client: Any, url: str, body: Json) -> Json:
        import httpx2

        why = ""
        for attempt in range(self.retries + 1):
            wait = None
            try:
                async with asyncio.timeout(self.timeout_s):
                    return await self._attempt(client, url, body)
            except TimeoutError:
                why = f"no whole reply within {self.timeout_s:g} s"
            except _Again as error:
                why, wait = str(error), error.wait
            except (httpx2.TransportError, httpx2.DecodingError) as error:
                why = f"{type(error).__name__}: {error}"
            if attempt < self.retries:
                await self.sleep(self._backoff(attempt) if wait is None else wait)
        raise EndpointError(url, self.hidden(f"no usable reply in {self.retries + 1} attempts; the last: {why}"))

    def _backoff(self, attempt: int) -> float:
        return min(LARGEST_BACKOFF_S, FIRST_WAIT_S * 2**attempt) * (1 - self.rng.random() / 2)

    async def _attempt(self, client: Any, url: str, body: Json) -> Json:
        content = json.dumps(body).encode()  # ASCII: a lone surrogate in a prompt passes as an escape
        async with client.stream("POST", url, content=content) as response:
            raw = await _read(response, url)
        status, text = response.status_code, self.hidden(raw.decode("utf-8", "replace"))
        if status == 429 or status >= 500:
            raise _Again(f"status {status}: {_message(text)}", wait=self._asked_wait(url, response.headers))
        if not 200 <= status < 300:
            way_out = f"; is the key in {self.key_env} right?" if self.key_env and status in (401, 403) else ""
            raise EndpointError(url, f"refused with status {status}: {_message(text)}{way_out}", status=status)
        try:
            return json.loads(raw, parse_constant=_not_json)
        except (ValueError, RecursionError):
            raise _Again(f"the reply is not JSON; it begins {text[:60]!r}") from None

    def _asked_wait(self, url: str, headers: Mapping[str, str]) -> float | None:
        wait = retry_after(headers.get("retry-after", ""))
        if wait is not None and wait > LONGEST_WAIT_S:
            raise EndpointError(url, f"the server asks to wait {wait:.0f} s, over {LONGEST_WAIT_S:.0f} s; try later")
        return wait

    def _headers(self) -> dict[str, str]:
        key = self._key()
        return {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if not all("!" <= letter <= "~" for letter in key):
            raise OperantError(f"the key in {self.key_env} holds spaces or letters outside ASCII; set it again")
        return key

    def hidden(self, text: str) -> str:
        """The text without the key: servers like to repeat it."""
        key = self._key()
        return text.replace(key, "[key]") if key else text

    def holds_key(self, text: str) -> bool:
        return bool(self._key()) and self._key() in text


def check_url(url: str) -> None:
    """OperantError unless it is http(s) with a host, and without secrets, which errors would show."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise OperantError(f"{url!r} is no address of a server; expected http://host[:port]/path or https://...")
    if parts.username or parts.password or parts.query:
        raise OperantError(f"the address of {parts.hostname} carries a password or a query; keys go in the environment")


def retry_after(text: str) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None where it says neither."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


async def _read(response: Any, url: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > LARGEST_REPLY:
            raise EndpointError(url, f"the reply is larger than {LARGEST_REPLY // 2**20} MiB")
    return b"".join(parts)


def _message(text: str) -> str:
    """What a refusal says: OpenAI's error.message, else the first letters."""
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:500]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text.strip()[:200] or "no message"


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work`, also where an event loop already runs (a notebook): then in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, work).result()
