"""Tiny random models of real architectures, and the plainest possible forward pass to hold them against."""

from functools import cache
from typing import Any

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)

from operant.models.small import Small, word_tokenizer
from operant.models.text import Encoded

torch.set_num_threads(1)

WORDS = tuple("abcdefghijklmnopqrst")
PAD, START, EOS = 0, 1, 2  # of word_tokenizer
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma", "phi", "neox", "gpt2")


def config(name: str, vocabulary: int, *, tied: bool, width: int) -> Any:
    """Dropout keeps its default (GPT-2 has 0.1): nothing here may run in training mode."""
    shared: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 128, "tie_word_embeddings": tied, "initializer_range": 0.3,
        "pad_token_id": PAD, "bos_token_id": START, "eos_token_id": EOS,
    }  # fmt: skip
    grouped = {"num_key_value_heads": 2, "intermediate_size": 2 * width}
    return {
        "llama": lambda: LlamaConfig(**shared, **grouped),
        "qwen2": lambda: Qwen2Config(**shared, **grouped),
        "qwen3": lambda: Qwen3Config(**shared, **grouped, head_dim=width // 4),
        "gemma": lambda: GemmaConfig(**shared, **grouped, head_dim=width // 4),
        "phi": lambda: PhiConfig(**shared, intermediate_size=2 * width),
        "neox": lambda: GPTNeoXConfig(**shared, intermediate_size=2 * width),
        "gpt2": lambda: GPT2Config(**shared),
    }[name]()


WINDOW = 9  # shorter than the rows of the tests


def unusual(name: str) -> Any:
    """Windows, bounded scores, sinks, experts; and four that no packed row can be read by."""
    shared: dict[str, Any] = {
        "vocab_size": 24, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "pad_token_id": PAD,
        "bos_token_id": START, "eos_token_id": EOS, "max_position_embeddings": 128, "initializer_range": 0.3,
    }  # fmt: skip
    grouped = {**shared, "num_key_value_heads": 2, "intermediate_size": 64}
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    window = {"sliding_window": WINDOW}
    settings: dict[str, tuple[str, dict[str, Any]]] = {
        "Qwen2 with a window": (
            "Qwen2",
            {"use_sliding_window": True, "max_window_layers": 1, **window},
        ),
        "Gemma2": ("Gemma2", {"head_dim": 8, **window, "attn_logit_softcapping": 2.0}),
        "Gemma3": ("Gemma3Text", {"head_dim": 8, **window}),
        "Phi3": ("Phi3", {**window}),
        "Mistral": ("Mistral", {**window}),
        "Olmo2": ("Olmo2", {}),
        "SmolLM3": ("SmolLM3", {}),
        "Cohere": ("Cohere", {"logit_scale": 0.25}),
        "Granite": ("Granite", {"logits_scaling": 4.0}),
        "GptOss": ("GptOss", {"head_dim": 8, **window, **experts}),
        "Lfm2": ("Lfm2", {"layer_types": ["conv", "full_attention", "conv"]}),
        "Llama4": ("Llama4Text", {"head_dim": 8, "attention_chunk_size": 16, "num_local_experts": 2}),
        "Mamba": ("Mamba", {}),
        "Bloom": ("Bloom", {}),
    }
    family, more = settings[name]
    size = {"Mamba": {"vocab_size": 24, "hidden_size": 32, "num_hidden_layers": 2},
            "Bloom": {"vocab_size": 24, "hidden_size": 32, "n_layer": 2, "n_head": 4}}.get(family, grouped)  # fmt: skip
    return getattr(transformers, f"{family}Config")(**size, **more)


PACKED = (
    "Qwen2 with a window",
    "Gemma2",
    "Gemma3",
    "Phi3",
    "Mistral",
    "Olmo2",
    "SmolLM3",
    "Cohere",
    "Granite",
    "GptOss",
)
CAUGHT = ("Lfm2", "Llama4", "Mamba", "Bloom")


@cache
def random_model(name: str) -> Any:
    """One of `unusual`, or of ARCHITECTURES, without a tokenizer."""
    if name in ARCHITECTURES:
        return tiny(name).module
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(unusual(name)).eval()


@cache
def tiny(
    name: str,
    *,
    tied: bool = False,
    width: int = 32,
    words: tuple[str, ...] = WORDS,
    seed: int = 0,
    eager: bool = False,
) -> Small:
    """Large initial weights, so that every token depends visibly on what stands before it and where."""
    tokenizer = word_tokenizer(words)
    settings = config(name, len(tokenizer), tied=tied, width=width)
    if eager:
        settings._attn_implementation = "eager"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Small(AutoModelForCausalLM.from_config(settings).eval(), tokenizer)


@torch.no_grad()
def plain_logps(module: Any, row: Encoded, *, temperature: float = 1.0) -> list[float]:
    """One row, no padding, no mask, no cache: log p(answer token | all before it)."""
    ids = torch.tensor([row.prompt + row.answer])
    table = (module(input_ids=ids).logits[0].double() / temperature).log_softmax(-1)
    first = len(row.prompt) - 1
    return [float(table[first + place, token]) for place, token in enumerate(row.answer)]


def random_rows(count: int, *, seed: int = 0, longest_prompt: int = 40, longest_answer: int = 10) -> list[Encoded]:
    """Prompts of 1 to 40 words and answers of 0 to 10, the extremes included."""
    rng = torch.Generator().manual_seed(seed)

    def words(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(4, 4 + len(WORDS), (length,), generator=rng).tolist())

    lengths = [(1, longest_answer), (longest_prompt, 0), (1, 0), (longest_prompt, 1)]
    while len(lengths) < count:
        one = torch.randint(1, longest_prompt + 1, (1,), generator=rng)
        two = torch.randint(0, longest_answer + 1, (1,), generator=rng)
        lengths.append((int(one), int(two)))
    return [Encoded(words(before), words(after)) for before, after in lengths]
