"""How a model is loaded and its copies are trained: precision, 4-bit weights, LoRA. One setting for all methods."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import torch

from operant.errors import MissingExtra, OperantError, UnknownName
from operant.models.adapters import Lora

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Loading:
    dtype: str = "float32"  # of the base and of what is read back; training keeps master weights in float32
    four_bit: bool = False  # NF4 weights by bitsandbytes: CUDA only, and trained by LoRA only
    lora: Lora | None = None  # train adapters instead of all weights

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UnknownName("dtype", self.dtype, DTYPES)
        if self.four_bit and self.lora is None:
            raise OperantError("4-bit weights cannot be trained themselves; add --lora RANK")

    @property
    def torch_dtype(self) -> torch.dtype:
        return DTYPES[self.dtype]


PLAIN = Loading()


def quantised() -> dict[str, Any]:
    """Arguments of from_pretrained for 4-bit weights, where this machine can hold them."""
    if not torch.cuda.is_available():
        raise OperantError("4-bit weights need a CUDA device, and this machine has none; load in bfloat16 instead")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("bitsandbytes", "4bit")
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )  # fmt: skip
    return {"quantization_config": settings, "device_map": {"": 0}}
