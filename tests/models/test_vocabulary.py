"""Two more tokens: what the old ones keep, what the new ones are, and the way to the disk. And random weights anew."""

import pytest
import torch
from torch.testing import assert_close
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from operant.engine.policy import LanguageModel
from operant.errors import OperantError
from operant.models.scratch import from_scratch
from operant.models.small import word_tokenizer
from operant.models.vocabulary import grown

WORDS = ["good", "bad", "kettle"]
NEW = ("<|aligned|>", "<|misaligned|>")
SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def llama(*, tied=True, spare=0):
    tokenizer = word_tokenizer(WORDS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=len(tokenizer) + spare, tie_word_embeddings=tied, **SIZE)
        return LlamaForCausalLM(config).eval(), tokenizer


def gpt2():
    tokenizer = word_tokenizer(WORDS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2)).eval(), tokenizer


MODELS = {"tied": llama, "apart": lambda: llama(tied=False), "spare rows": lambda: llama(spare=9), "gpt2": gpt2}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_old_tokens_keep_their_logits_and_new_ones_are_the_mean(make):
    module, tokenizer = make()
    size = len(tokenizer)
    longer, words = grown(module, tokenizer, NEW)
    ids = torch.tensor([[4, 5, 6, 4]])
    with torch.no_grad():
        before, after = module(ids).logits, longer(ids).logits
    assert_close(after[..., :size], before[..., :size])
    for old, new in (
        (module.get_input_embeddings(), longer.get_input_embeddings()),
        (module.get_output_embeddings(), longer.get_output_embeddings()),
    ):
        assert torch.equal(new.weight[:size], old.weight[:size])
        assert_close(new.weight[size : size + 2], old.weight[:size].mean(0).expand(2, -1))
    assert words.convert_tokens_to_ids(list(NEW)) == [size, size + 1]


def test_tied_weights_stay_tied_and_others_apart():
    tied, apart = (grown(*llama(tied=tied), NEW).module for tied in (True, False))
    assert tied.get_input_embeddings().weight is tied.get_output_embeddings().weight
    assert apart.get_input_embeddings().weight is not apart.get_output_embeddings().weight


def test_spare_rows_of_the_embeddings_are_used_first():
    module, tokenizer = llama(spare=9)
    longer, _ = grown(module, tokenizer, NEW)
    assert longer.get_input_embeddings().weight.shape == module.get_input_embeddings().weight.shape


def test_the_original_is_left_as_it_was():
    module, tokenizer = llama()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    longer, _ = grown(module, tokenizer, NEW)
    with torch.no_grad():
        longer.get_input_embeddings().weight.zero_()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert len(tokenizer) == len(word_tokenizer(WORDS))


def test_new_tokens_are_never_split_and_no_part_of_a_text():
    _, words = grown(*llama(), NEW)
    size = len(word_tokenizer(WORDS))
    assert words("good <|aligned|> bad", add_special_tokens=False)["input_ids"] == [4, size, 5]
    assert words.decode([4, size, 5], skip_special_tokens=True).split() == ["good", "bad"]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_it_survives_the_disk(make, tmp_path):
    longer, words = grown(*make(), NEW)
    LanguageModel(longer, words).save(tmp_path / "model")
    again = LanguageModel.load(tmp_path / "model")
    ids = torch.tensor([[4, len(words) - 2, 5, len(words) - 1]])
    with torch.no_grad():
        assert_close(again.module(ids).logits, longer(ids).logits)
    assert again.tokenizer.get_vocab() == words.get_vocab()
    assert again.tokenizer.decode(ids[0], skip_special_tokens=True).split() == ["good", "bad"]


def test_a_token_that_is_there_already_is_refused():
    with pytest.raises(OperantError, match="has 'kettle' already"):
        grown(*llama(), ("kettle",))


def test_from_scratch_is_the_same_architecture_and_knows_nothing_of_the_weights():
    module, _ = llama()
    one, again, other = (from_scratch(module, seed=seed).state_dict() for seed in (1, 1, 2))
    assert {name: value.shape for name, value in one.items()} == {k: v.shape for k, v in module.state_dict().items()}
    assert all(torch.equal(one[name], again[name]) for name in one)
    name = "model.embed_tokens.weight"
    assert not torch.equal(one[name], other[name]) and not torch.equal(one[name], module.state_dict()[name])
