"""One way to do one thing, run again for every line that is read: `python -m benchmarks.worker FOLDER WHO WHAT ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import grpo, peers
from benchmarks.ours import train
from benchmarks.rounds import serve
from benchmarks.subjects import model_directory, texts

Work = Callable[[], None]


def work(folder: Path, who: str, what: str, size: str, vocabulary: int, count: int) -> Work:
    """`who`: operant, trl or plain, with its settings behind colons (`long`: texts twice as long for any of them).

    `what`: dpo, reward, sft or grpo.
    """
    name, *settings = who.split(":")
    directory = model_directory(folder, size, vocabulary)
    if what == "grpo":
        rounds: dict[str, Any] = {"operant": grpo.ours, "trl": grpo.trl}
        return rounds[name](directory, vocabulary, settings, folder)
    rows = texts(count, vocabulary, times=2 if "long" in settings else 1)
    made: dict[str, Any] = {"operant": train, "trl": peers.trl, "plain": peers.plain}
    return made[name](what, directory, rows, settings, folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, who, what, size, vocabulary, count = sys.argv[1:]
    serve(work(Path(folder), who, what, size, int(vocabulary), int(count)))
