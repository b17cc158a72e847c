"""A model's tensors in one safetensors file, tied ones stored once; a file that does not fit is refused.

Where a module carries adapters, they and what is trained whole beside them are stored, the rest is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from operant.errors import OperantError


def weights(module: Any) -> dict[str, Tensor]:
    """Each distinct tensor once: tied weights share storage, which safetensors refuses to store twice."""
    seen: dict[int, str] = {}
    kept = {}
    frozen = _frozen(module)
    for name, value in module.state_dict().items():
        if name not in frozen and (value.data_ptr() not in seen or value.numel() == 0):
            seen[value.data_ptr()] = name
            kept[name] = value.detach().contiguous()
    return kept


def _frozen(module: Any) -> frozenset[str]:
    """Where only adapters are trained: everything else. Empty for a module without adapters."""
    names = module.state_dict().keys()
    trained = {name for name in names if "lora_" in name or "modules_to_save" in name}
    return frozenset(names - trained) if trained else frozenset()


def load_weights(module: Any, path: Path) -> None:
    """Load what `weights` stored; a missing tensor must be tied to one that is there, and every shape must fit."""
    stored, own = load_file(path), module.state_dict()
    wrong = [name for name, value in stored.items() if name in own and own[name].shape != value.shape]
    unknown = sorted(stored.keys() - own.keys())
    tied = {value.data_ptr() for name, value in own.items() if name in stored}
    needed = own.keys() - _frozen(module)
    lost = [name for name in own if name in needed and name not in stored and own[name].data_ptr() not in tied]
    if lost or unknown or wrong:
        raise OperantError(
            f"{path} does not fit this model: missing {lost[:3]}, unexpected {unknown[:3]}, of another shape "
            f"{wrong[:3]}; load it into the model that it was saved from"
        )
    module.load_state_dict(stored, strict=False)
