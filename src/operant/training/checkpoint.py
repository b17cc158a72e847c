"""State of a fit on disk: safetensors for every tensor, JSON for the rest. Whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from operant.disk import read_json, whole_directory, write_json
from operant.models.weights import load_weights, weights


def save_state(directory: Path, module: Any, optimizer: torch.optim.Optimizer, rest: dict[str, Any]) -> None:
    """Weights, optimiser moments and everything else that decides the next step."""
    with whole_directory(directory) as partial:
        save_file(weights(module), partial / "model.safetensors")
        moments = {
            f"{index}/{name}": value.contiguous()
            for index, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        save_file(moments, partial / "optimizer.safetensors")
        write_json(partial / "state.json", rest)


def load_state(directory: Path, module: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put the state back; returns what was passed as `rest`."""
    load_weights(module, directory / "model.safetensors")
    state: dict[int, dict[str, Any]] = {}
    for key, value in load_file(directory / "optimizer.safetensors").items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return read_json(directory / "state.json")
