"""Run a function in a process of its own that is killed on time, with limits on memory, CPU and files.

The process is a fresh interpreter: isolated (`-I`), no environment, its own session. Arguments and results are JSON,
never pickle. Whatever happens in there becomes an Outcome; nothing raises and nothing hangs.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from operant.errors import OperantError, require

Kind = Literal["done", "error", "time", "memory", "crash"]
CHUNK = 65_536  # bytes


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one job may use. `seconds` counts by the clock and by the CPU."""

    seconds: float = 1.0
    memory_mb: int = 512  # address space of the whole process
    result_bytes: int = 1_000_000
    start_seconds: float = 20.0  # to start the process and import the function's module

    def __post_init__(self) -> None:
        require(self.seconds > 0, "seconds", self.seconds, "above 0")
        require(self.memory_mb >= 64, "memory_mb", self.memory_mb, "at least 64; an interpreter needs that much")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job. `why` is empty exactly when `kind` is "done"."""

    value: Any = None  # JSON
    why: str = ""
    kind: Kind = "done"


class _Gone(Exception):
    """The process has to be given up; carries the outcome."""

    def __init__(self, kind: Kind, why: str):
        self.outcome = Outcome(kind=kind, why=why)


class Worker:
    """One process for many small jobs; killed and started again when a job goes wrong. Use as a context manager."""

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._ready: set[str] = set()
        self._read = b""
        self._allowed = 0.0  # seconds of the exchange under way

    def run(self, function: Callable[..., Any], *arguments: Any) -> Outcome:
        """The function's result. It must be a module's own, so that the process can import it by name."""
        name = named(function)
        try:
            request = json.dumps({"name": name, "arguments": arguments})
        except (TypeError, ValueError) as error:
            raise OperantError(f"arguments of {name} must be JSON values: {error}") from None
        with self._lock:
            try:
                self._prepare(name)
                return self._ask(request, seconds=self.limits.seconds)
            except _Gone as gone:
                self._stop()
                return gone.outcome

    def close(self) -> None:
        with self._lock:
            self._stop()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop()

    def _prepare(self, name: str) -> None:
        """The process runs and has imported the function; both are outside the job's time."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._stop()
            self._start()
        if name not in self._ready:
            outcome = self._ask(json.dumps({"name": name}), seconds=self.limits.start_seconds)
            if outcome.kind != "done":
                raise _Gone(outcome.kind, f"{name} could not be loaded in the sandbox: {outcome.why}")
            self._ready.add(name)

    def _start(self) -> None:
        served = Path(__file__).with_name("served.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(served)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        self._owner, self._ready, self._read = os.getpid(), set(), b""
        first = {"limits": asdict(self.limits), "path": [str(Path(entry).absolute()) for entry in sys.path]}
        self._ask(json.dumps(first), seconds=self.limits.start_seconds)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return  # a fork of us does not own the process
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _ask(self, request: str, *, seconds: float) -> Outcome:
        """One line out, one line back."""
        self._allowed, end = seconds, time.monotonic() + seconds
        self._write(request.encode() + b"\n", end)
        line = self._line(end)
        try:
            reply = json.loads(line)
            outcome = Outcome(value=reply["value"], why=reply["why"], kind=reply["kind"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _Gone("crash", "the sandbox gave something that is not an answer") from None
        if outcome.kind == "memory":
            raise _Gone("memory", outcome.why)  # what is left of it is not trusted
        return outcome

    def _write(self, data: bytes, end: float) -> None:
        assert self._process is not None and self._process.stdin is not None
        while data:
            if not _ready(self._process.stdin.fileno(), select.POLLOUT, end):
                raise self._late()
            try:
                data = data[os.write(self._process.stdin.fileno(), data[:CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._died() from None

    def _line(self, end: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        while b"\n" not in self._read:
            if not _ready(self._process.stdout.fileno(), select.POLLIN, end):
                raise self._late()
            part = os.read(self._process.stdout.fileno(), CHUNK)
            if not part:
                raise self._died()
            self._read += part
            if len(self._read) > 2 * self.limits.result_bytes + CHUNK:
                raise _Gone("crash", f"the result is larger than {self.limits.result_bytes} bytes")
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _late(self) -> _Gone:
        return _Gone("time", f"stopped after {self._allowed:g} s")

    def _died(self) -> _Gone:
        assert self._process is not None
        try:
            status = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return _Gone("crash", "the process closed its pipe")
        if -status in (signal.SIGXCPU, signal.SIGALRM):
            return self._late()
        return _Gone("crash", f"the process died of {_reason(status)}")


def run(function: Callable[..., Any], *arguments: Any, limits: Limits | None = None) -> Outcome:
    """One job in a process that is started for it and ends with it."""
    with Worker(limits) as worker:
        return worker.run(function, *arguments)


def named(function: Callable[..., Any]) -> str:
    """module:name, by which another process finds the function."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found = getattr(sys.modules.get(module or ""), name, None)
    if found is not function or module == "__main__":
        raise OperantError(
            f"{function!r} cannot be run in the sandbox; expected a function that stands at the top of a module that "
            "can be imported by name"
        )
    return f"{module}:{name}"


def _ready(file: int, event: int, end: float) -> bool:
    """Whether a pipe can be used before `end`. poll, since select refuses files above 1023."""
    poll = select.poll()
    poll.register(file, event)
    return bool(poll.poll(1000 * max(0.0, end - time.monotonic())))


def _reason(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
