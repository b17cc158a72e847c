"""Small models from scratch, of a real architecture and with a real tokenizer: bases of embedded tasks, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


class Small(NamedTuple):
    module: Any
    tokenizer: Any


def word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """One id per word, split at white space."""
    special = ("<pad>", "<s>", "</s>", "<unk>")
    ids = {word: place for place, word in enumerate((*special, *words))}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def small_llama(words: Sequence[str], *, hidden: int, layers: int, heads: int = 4, seed: int = 0) -> Small:
    """A Llama with random weights over a word-level tokenizer."""
    tokenizer = word_tokenizer(words)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=hidden * 8 // 3 // 8 * 8, max_position_embeddings=512, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # transformers initialises from the global generator
        torch.manual_seed(seed)
        return Small(LlamaForCausalLM(config).eval(), tokenizer)
