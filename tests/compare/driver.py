"""A comparison in a process of its own that can be broken on purpose: `python driver.py OUT`.

BREAK_AT_WRITE=k kills the process that makes its k-th atomic write, after the bytes and before the rename.
Workers are spawned, so they import this file as well and are broken in the same way.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from operant import disk
from operant.compare.main import compare
from operant.compare.options import Options

OPTIONS = Options(
    methods=("base", "dpo", "best-of-n"), task="reviews", seeds=1, limit=20, prompts=4, best_of=2, points=2, trials=2,
    max_tokens=8,
)  # fmt: skip
rename, writes = os.replace, 0


def break_at(source: object, target: object) -> None:
    global writes
    writes += 1
    if writes == int(os.environ["BREAK_AT_WRITE"]):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)


def no_route(*_: object) -> None:
    raise OSError("no route to any host")


if "BREAK_AT_WRITE" in os.environ:
    disk.os.replace = break_at
if "NO_NETWORK" in os.environ:
    socket.getaddrinfo = no_route
    socket.socket.connect = no_route

if __name__ == "__main__":
    compare(OPTIONS, out=Path(sys.argv[1]), keep="all", workers=1)
