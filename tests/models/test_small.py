"""Small models from scratch: decided by their seed alone, with a tokenizer that loses nothing."""

import torch

from models.architectures import EOS, PAD, START
from operant.domains.text.tasks.reviews.grammar import vocabulary
from operant.models.small import small_llama, word_tokenizer
from operant.models.text import decode, encode_answer, encode_prompt
from operant.schema import Answer, Prompt


def test_the_seed_alone_decides_the_weights():
    before = torch.random.get_rng_state()
    first, again = (small_llama(("a", "b"), hidden=16, layers=1, seed=3).module for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    other = small_llama(("a", "b"), hidden=16, layers=1, seed=4).module
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)
    # 6 words x 16, tied; q k v o of 16 x 16; three of 16 x 40 (16 * 8 / 3 = 42, down to a multiple of 8); 3 norms
    assert sum(weight.numel() for weight in first.parameters()) == 6 * 16 + 4 * 16 * 16 + 3 * 16 * 40 + 3 * 16


def test_words_survive_the_round_trip():
    tokenizer = word_tokenizer(vocabulary())
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (PAD, START, EOS)
    text = " ".join(vocabulary())
    ids = encode_answer(tokenizer, Answer(value=text))
    assert ids == (*range(4, 4 + len(vocabulary())), EOS)
    assert decode(tokenizer, ids) == text
    assert encode_answer(tokenizer, Answer(value=text, finish="length")) == ids[:-1]
    assert encode_prompt(tokenizer, Prompt(id="p", content=text)) == ids[:-1]
    assert decode(tokenizer, (PAD, START, 4, EOS)) == vocabulary()[0]
