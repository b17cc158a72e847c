"""State of a fit on disk: safetensors for every tensor, JSON for the rest. Whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from operant.disk import read_json, whole_directory, write_json
from operant.errors import OperantError


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


def weights(module: Any) -> dict[str, torch.Tensor]:
    """Each distinct tensor once: tied weights share storage, which safetensors refuses to store twice."""
    seen: dict[int, str] = {}
    kept = {}
    for name, value in module.state_dict().items():
        if value.data_ptr() not in seen or value.numel() == 0:
            seen[value.data_ptr()] = name
            kept[name] = value.detach().contiguous()
    return kept


def load_weights(module: Any, path: Path) -> None:
    """Load what `weights` stored; a missing tensor must be tied to one that is there."""
    stored = load_file(path)
    missing, unexpected = module.load_state_dict(stored, strict=False)
    tied = {value.data_ptr() for name, value in module.state_dict().items() if name in stored}
    lost = [name for name in missing if module.state_dict()[name].data_ptr() not in tied]
    if lost or unexpected:
        raise OperantError(f"{path} does not fit this model: missing {lost[:3]}, unexpected {list(unexpected)[:3]}")
