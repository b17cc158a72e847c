"""LoRA through peft: layers put into a module in place, stored as a PEFT directory, merged into plain weights.

peft is imported by the functions that use it: most commands never do, and it takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from operant.errors import OperantError, require

CONFIG = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank updates of every linear layer; the rest stays as it is (Hu et al. 2021, arXiv:2106.09685)."""

    rank: int = 16
    alpha: int | None = None  # the update is scaled by alpha / rank; None: 2 x rank

    def __post_init__(self) -> None:
        require(self.rank >= 1, "lora rank", self.rank, "at least 1")
        require(self.alpha is None or self.alpha > 0, "lora alpha", self.alpha, "above 0")


def add_lora(module: Any, lora: Lora, *, seed: int, scores: bool = False) -> Any:
    """Put fresh adapters into `module`; returns the peft handle that saves and merges them.

    The update starts at 0, so the module computes what it did. `scores`: the module is a sequence classifier, whose
    score layer is trained and stored whole.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha or 2 * lora.rank, target_modules="all-linear",
        task_type=TaskType.SEQ_CLS if scores else TaskType.CAUSAL_LM,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), _quiet():  # peft initialises from the global generator
        torch.manual_seed(seed)
        return get_peft_model(module, config)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without two warnings that no user can act on: GPT-2's transposed layers, a name that transformers retires."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        yield


def is_adapter(directory: str | Path) -> bool:
    return (Path(directory) / CONFIG).is_file()


def adapter_base(directory: str | Path) -> str:
    """The model that an adapter belongs to: the path or name that it was trained from."""
    from peft import PeftConfig

    base = PeftConfig.from_pretrained(str(directory)).base_model_name_or_path
    if not base:
        raise OperantError(f"{Path(directory) / CONFIG} does not name its base_model_name_or_path; add it")
    return base


def tokenizer_source(directory: str | Path) -> str:
    """Where an adapter's tokenizer is: with it, or with its base."""
    return str(directory) if (Path(directory) / "tokenizer_config.json").is_file() else adapter_base(directory)


def load_adapter(module: Any, directory: str | Path) -> Any:
    """A stored adapter put into its base; safetensors only."""
    from peft import PeftModel

    if not (Path(directory) / "adapter_model.safetensors").is_file():
        raise OperantError(
            f"{directory} holds no adapter_model.safetensors; pickled adapters are refused because loading them runs "
            "code. Save the adapter again with peft's save_pretrained"
        )
    with _quiet():
        return PeftModel.from_pretrained(module, str(directory))


def save_adapter(adapter: Any, tokenizer: Any, directory: Path) -> None:
    """The layout that peft reads: adapter weights and config, with the tokenizer beside them."""
    directory.mkdir(parents=True, exist_ok=True)
    adapter.save_pretrained(str(directory), safe_serialization=True)
    tokenizer.save_pretrained(directory)


def merge(adapter: Any) -> Any:
    """The plain module with the updates added to its weights; the adapter is used up."""
    return adapter.merge_and_unload().eval()
