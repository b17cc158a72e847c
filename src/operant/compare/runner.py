"""Cells in worker processes of one thread each; progress; and going on where a killed run stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from operant.compare.cell import cell_path, run_cell
from operant.compare.rows import Row
from operant.compare.setup import setup
from operant.errors import OperantError
from operant.methods import card

Event = Callable[[str, int, str], None]  # (row, seed, stage)


@dataclass(frozen=True)
class Job:
    """A cell, or (row None) something that cells share: the proxy of a seed, or the judge."""

    row: Row | None
    seed: int
    shared: str = "proxy"


def run_cells(run: Path, rows: list[Row], seeds: int, *, workers: int, told: Event) -> None:
    """Finish every cell that is missing. What is shared starts first, then what trains longest without it."""
    slow_first = sorted(rows, key=lambda row: not card(row.slug).search)
    missing = [Job(row, seed) for seed in range(seeds) for row in slow_first if not cell_path(run, row, seed).is_file()]
    if not missing:
        return
    shared = [Job(None, seed) for seed in sorted({job.seed for job in missing})]
    shared[1:1] = [Job(None, missing[0].seed, "judge")]
    queue = get_context("spawn").SimpleQueue()
    pump = threading.Thread(target=_pump, args=(queue, told), daemon=True)
    pump.start()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(queue, os.getpid())) as pool:
        try:
            for future in as_completed([pool.submit(_job, run, job) for job in (*shared, *missing)]):
                future.result()
        except BrokenProcessPool:
            raise OperantError(
                "a worker process was killed, most likely for want of memory; run the same command again with "
                "--workers 1 to finish what is missing"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
            queue.put(None)
            pump.join(timeout=5)


def _pump(queue: Any, told: Event) -> None:
    while (event := queue.get()) is not None:
        told(*event)


_QUEUE: Any = None


def _start(queue: Any, parent: int) -> None:
    """One torch thread; die with the parent, so that a killed run leaves nobody behind."""
    global _QUEUE
    torch.set_num_threads(1)
    _QUEUE = queue
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _job(run: Path, job: Job) -> None:
    if job.row is None:
        _QUEUE.put((job.shared, job.seed, "fitting"))
        ready = setup(run, job.seed)
        if job.shared == "proxy":
            _ = ready.proxy  # made and stored, where the feedback allows one
        elif ready.task.needs_judge:
            ready.judge()
        _QUEUE.put((job.shared, job.seed, "done"))
        return
    row = job.row
    run_cell(run, row, job.seed, lambda stage: _QUEUE.put((row.name, job.seed, stage)))
    _QUEUE.put((row.name, job.seed, "done"))
