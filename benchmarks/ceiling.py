"""What this machine can do at most: FLOPs a second of products in the shapes that training makes, one thread."""

from __future__ import annotations

import time

import torch
from torch.utils.benchmark import Timer

from benchmarks.subjects import SIZES, least_flops


def least_seconds(size: str, vocabulary: int, rows: list, *, half: bool) -> float:
    """How long training on these PairRows would take if it were made of products alone, at the machine's own rate."""
    dtype = torch.bfloat16 if half else torch.float32
    about = SIZES[size]
    layers, head = least_flops(size, vocabulary, rows)
    of_layers = _rate(2048, about.width, about.inner, dtype)
    shapes = ((512, about.width, vocabulary), (512, vocabulary, about.width), (vocabulary, 512, about.width))
    of_head = 3 / sum(1 / _rate(*shape, dtype) for shape in shapes)
    return layers / of_layers + head / of_head


def _rate(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """FLOPs a second of [rows, inner] x [inner, columns]."""
    left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
    names = {"torch": torch, "left": left, "right": right}
    timer = Timer("torch.mm(left, right)", globals=names, num_threads=1, timer=time.process_time)
    return 2 * rows * inner * columns / min(timer.blocked_autorange(min_run_time=1.0).times)  # at its best
