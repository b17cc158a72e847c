"""A server that does what a test tells it, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

KEY = "sk-stub-0123456789"


@dataclass
class Reply:
    """One answer of the server: `body` as JSON, or `raw` bytes as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drip_s: float = 0.0  # seconds between single bytes
    announced: int | None = None  # a Content-Length other than the true one

    def bytes(self) -> bytes:
        return json.dumps(self.body).encode() if self.raw is None else self.raw


@dataclass
class Stub:
    url: str
    seen: list[dict[str, Any]] = field(default_factory=list)  # path, body, authorization of every request
    most_at_once: int = 0


def chat(text: Any = "yes", *, finish: Any = "stop", **choice: Any) -> Reply:
    """A well-formed chat completion."""
    one = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish} | choice
    return Reply({"choices": [one], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})


@contextmanager
def stub(answer: Callable[[int, dict[str, Any]], Reply]) -> Iterator[Stub]:
    """`answer(number of the request, its body)` says what happens; numbers count from 0 in order of arrival."""
    lock, busy = Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number, busy[0] = len(state.seen), busy[0] + 1
                state.seen.append({"path": self.path, "body": body, "key": self.headers.get("Authorization")})
                state.most_at_once = max(state.most_at_once, busy[0])
            try:
                self.send(answer(number, body))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has gone, as some tests want it to
            finally:
                with lock:
                    busy[0] -= 1

        def send(self, reply: Reply) -> None:
            content = reply.bytes()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if reply.announced is None else reply.announced))
            self.end_headers()
            for byte in (content[at : at + 1] for at in range(len(content))) if reply.drip_s else [content]:
                self.wfile.write(byte)
                self.wfile.flush()
                time.sleep(reply.drip_s)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64  # else a burst of connections waits a second

    server = Server(("127.0.0.1", 0), Handler)
    state = Stub(f"http://127.0.0.1:{server.server_port}/v1")
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()
