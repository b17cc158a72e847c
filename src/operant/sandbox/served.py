"""The other side of child.py: started as a script in an isolated interpreter, it does the jobs it reads.

It imports nothing of operant until the first line has said where modules are. Function names come from our own code
only; what a job is given is data.
"""

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import sys
from typing import Any


def main() -> None:
    """One JSON line in, one out, until the pipe closes."""
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)  # what a job prints must not pass for an answer
    settings = json.loads(reading.readline())
    sys.path[:] = settings["path"]
    limits = settings["limits"]
    _limit(limits)
    _reply(writing, {"value": None, "why": "", "kind": "done"})
    known: dict[str, Any] = {}
    for line in reading:
        request = json.loads(line)
        if request["name"] not in known:
            reply = _load(known, request["name"])
        else:
            reply = _job(known[request["name"]], request["arguments"], limits)
        _reply(writing, reply)


def _limit(limits: dict[str, Any]) -> None:
    """For good: memory, no file may grow, no core dump."""
    size = limits["memory_mb"] * 2**20
    for what, value in ((resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        # Some systems refuse a limit on the address space; the clock still holds there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, value))


def _load(known: dict[str, Any], name: str) -> dict[str, Any]:
    module, _, function = name.partition(":")
    try:
        known[name] = getattr(importlib.import_module(module), function)
    except MemoryError:
        return {"value": None, "why": "out of memory", "kind": "memory"}
    except Exception as error:
        return {"value": None, "why": f"{type(error).__name__}: {error}", "kind": "error"}
    return {"value": None, "why": "", "kind": "done"}


def _job(function: Any, arguments: list[Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Errors of a job are its outcome; clocks of our own end it should the parent be gone."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = math.ceil(usage.ru_utime + usage.ru_stime + limits["seconds"] + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_REAL, limits["seconds"] + 1)
    try:
        value = function(*arguments)
        size = len(json.dumps(value, allow_nan=False))
        if size > limits["result_bytes"]:
            return {"value": None, "why": f"the result is larger than {limits['result_bytes']} bytes", "kind": "error"}
        return {"value": value, "why": "", "kind": "done"}
    except MemoryError:
        return {"value": None, "why": f"out of memory; {limits['memory_mb']} MB are allowed", "kind": "memory"}
    except Exception as error:
        ours = type(error).__module__.startswith("operant.")
        why = str(error) if ours else f"{type(error).__name__}: {error}"
        return {"value": None, "why": why[:2000] or type(error).__name__, "kind": "error"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _reply(writing: Any, reply: dict[str, Any]) -> None:
    writing.write(json.dumps(reply).encode() + b"\n")
    writing.flush()


if __name__ == "__main__":
    main()
