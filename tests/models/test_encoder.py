"""A sentence encoder: vectors of length 1, whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch

from operant.models.encoder import SentenceEncoder
from operant.models.small import small_llama, word_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import BertConfig, BertModel

    where = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    tokenizer = word_tokenizer(["a", "b", "c"])
    tokenizer.save_pretrained(where)
    BertModel(BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                         intermediate_size=32)).save_pretrained(where)  # fmt: skip
    return where


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_text_alone_and_among_longer_ones_has_one_vector_of_length_1(folder, pooling):
    encoder = SentenceEncoder(folder, pooling=pooling)
    alone, among = encoder(["a b"]), encoder(["a b", "c a b c a"])
    torch.testing.assert_close(alone[0], among[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(among.norm(dim=-1), torch.ones(2))
    assert (among[0] - among[1]).norm() > 1e-3


def test_what_is_too_long_is_cut(folder):
    encoder = SentenceEncoder(folder, max_length=3)
    torch.testing.assert_close(encoder(["a b c a a"]), encoder(["a b c"]))


def test_a_causal_model_serves_too(tmp_path):
    module, tokenizer = small_llama(["a", "b"], hidden=16, layers=1)
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert SentenceEncoder(tmp_path, pooling="mean")(["a b"]).shape == (1, 16)
