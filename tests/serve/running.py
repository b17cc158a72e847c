"""A tiny checkpoint behind our own server: in this process, or on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx2
import uvicorn

WORDS = tuple("abcdefgh")
TEMPLATE = "{% for turn in messages %}a {{ turn.content }} {% endfor %}{% if add_generation_prompt %}h{% endif %}"


def post(app: Any, path: str, body: Any = None, *, host: str = "localhost", **settings: Any) -> httpx2.Response:
    """One request, in this process; `body` as JSON unless `content` is given."""

    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            kinds = settings if "content" in settings else {"json": body} | settings
            return await (client.get(path) if body is None and not settings else client.post(path, **kinds))

    return asyncio.run(send())


@contextmanager
def on_a_socket(app: Any) -> Iterator[str]:
    """The address of `app` on a port that was free."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
