"""Load, save and copy causal language models from Hugging Face directories. No pickles, no remote code."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from operant.errors import OperantError

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
logging.set_verbosity_error()
logging.disable_progress_bar()


def load_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model directory or name, with a padding token (EOS where it has none)."""
    tokenizer = AutoTokenizer.from_pretrained(str(source))
    if tokenizer.eos_token_id is None:
        raise OperantError(
            f"the tokenizer of {source} has no end-of-sequence token, so no answer could ever end; "
            "set eos_token in tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal(source: str | Path, *, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A causal language model from a directory or name, in evaluation mode."""
    _refuse_other_formats(Path(source))
    module = AutoModelForCausalLM.from_pretrained(str(source), dtype=dtype, use_safetensors=True)
    return module.eval()


def _refuse_other_formats(path: Path) -> None:
    """Say what is wrong with a directory before transformers does, at length."""
    if not path.exists():
        if os.sep in str(path) and str(path).count("/") > 1:
            raise OperantError(f"no model directory at {path}")
        return
    if not (path / "config.json").is_file():
        raise OperantError(f"{path} holds no config.json; expected a Hugging Face model directory")
    try:
        json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise OperantError(f"{path / 'config.json'} is not JSON: {error}") from None
    if not any(path.glob("*.safetensors")):
        raise OperantError(
            f"{path} holds no *.safetensors weights; pickled weights are refused because loading them runs code. "
            "Convert with model.save_pretrained(..., safe_serialization=True)"
        )


def save_causal(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    """The layout that `from_pretrained` reads: safetensors, config, generation config, tokenizer."""
    directory.mkdir(parents=True, exist_ok=True)
    module.generation_config.eos_token_id = tokenizer.eos_token_id
    module.generation_config.pad_token_id = tokenizer.pad_token_id
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def copy_module(module: Any) -> Any:
    """An independent copy of the weights, detached from any graph."""
    twin = copy.deepcopy(module)
    twin.zero_grad(set_to_none=True)
    return twin.eval().requires_grad_(True)
