"""The same architecture before anything was learnt."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM


def from_scratch(module: Any, *, seed: int) -> Any:
    """A model of this one's configuration with random weights, on its device and in its precision."""
    with torch.random.fork_rng(devices=[]):  # transformers initialises from the global generator
        torch.manual_seed(seed)
        fresh = AutoModelForCausalLM.from_config(copy.deepcopy(module.config))
    first = next(module.parameters())
    fresh.generation_config = copy.deepcopy(module.generation_config)
    return fresh.to(device=first.device, dtype=first.dtype).eval()
