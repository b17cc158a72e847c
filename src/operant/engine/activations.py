"""Means of a model's activations at every position, by hooks that are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from operant.errors import OperantError

# Last parts of module names in Llama, Qwen, Gemma, Phi, GPT-NeoX and GPT-2, by what comes out of them.
NAMES = {
    "mlp": ("act_fn", "act", "activation_fn"),
    "attn": ("q_proj", "k_proj", "v_proj", "o_proj", "query_key_value", "c_attn"),
}


@contextmanager
def watching(module: Any) -> Iterator[dict[str, list[Tensor]]]:
    """[rows, length] mean over features of every MLP activation and attention projection computed inside."""
    seen: dict[str, list[Tensor]] = {kind: [] for kind in NAMES}
    hooks = []
    for name, part in module.named_modules():
        for kind in NAMES:
            if name.rsplit(".", 1)[-1] in NAMES[kind] and (kind == "mlp" or _in_attention(name)):
                hooks.append(part.register_forward_hook(_mean_into(seen[kind])))
    if not hooks:
        raise OperantError(f"no activation of {type(module).__name__} is known by name; known are {NAMES}")
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _in_attention(name: str) -> bool:
    return "attn" in name or "attention" in name


def _mean_into(found: list[Tensor]) -> Any:
    def hook(part: nn.Module, inputs: Any, output: Tensor) -> None:
        assert part is not None and inputs is not None
        found.append(output.detach().float().mean(-1))

    return hook
