"""What reading twice lets a causal model do, on small models with random weights."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from operant.errors import BadValue
from operant.models.small import small_llama
from operant.probes.second_reading import attention, heard, jacobian_norms, states

QUESTION = (5, 9, 7, 11, 6)
ONCE = (1, *QUESTION, 4)
TWICE = (1, *QUESTION, 8, *QUESTION, 4)  # 8 announces the second copy
FIRST, SECOND = 1, 1 + len(QUESTION) + 1


@pytest.fixture(scope="module")
def llama():
    return small_llama([f"w{place}" for place in range(12)], hidden=32, layers=2, seed=1).module


def changed_at(module, ids, place):
    """Places whose last hidden state changes when the token at `place` becomes another."""
    other = list(ids)
    other[place] = 10
    with torch.no_grad():
        before, after = (states(module, module.get_input_embeddings()(torch.tensor(one))) for one in (list(ids), other))
    return {at for at, moved in enumerate((before - after).abs().amax(-1)) if moved > 1e-6}


def test_the_first_word_of_the_second_copy_hears_the_last_of_the_first(llama):
    last = FIRST + len(QUESTION) - 1
    found = changed_at(llama, TWICE, last)
    assert SECOND in found
    assert not found & set(range(last))  # nothing before it in the first copy
    assert changed_at(llama, ONCE, last) == {last, last + 1}  # read once, no earlier word ever hears of it


def test_a_model_that_looks_both_ways_has_nothing_to_gain():
    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=16, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                intermediate_size=32)).eval()  # fmt: skip
    last = FIRST + len(QUESTION) - 1
    assert changed_at(bert, ONCE, last) == set(range(len(ONCE)))  # all of the first copy has heard of it


def test_gradients_reach_forward_only_through_the_first_copy(llama):
    places = range(SECOND, SECOND + len(QUESTION) - 1)
    norms = jacobian_norms(llama, TWICE, places)
    for row, place in enumerate(places):
        assert (norms[row, place + 1 :] == 0).all()
        assert (norms[row, FIRST + row + 1 : FIRST + len(QUESTION)] > 0).all()
    first = jacobian_norms(llama, TWICE, range(FIRST, SECOND - 1))
    assert all((first[row, FIRST + row + 1 :] == 0).all() for row in range(len(first)))


def test_the_estimated_norm_is_right_on_average(llama):
    # d h_last / d e_j whole, by one gradient for each of its 32 rows
    embedded = llama.get_input_embeddings()(torch.tensor(ONCE)).detach().requires_grad_()
    rows = [torch.autograd.grad(states(llama, embedded)[-1, unit], embedded)[0] for unit in range(32)]
    exact = torch.stack(rows).pow(2).sum((0, 2))
    drawn = torch.stack([jacobian_norms(llama, ONCE, [len(ONCE) - 1], seed=seed)[0] for seed in range(40)]).pow(2)
    # 40 x 4 directions; v^T J J^T v has a relative spread of at most sqrt(2)
    torch.testing.assert_close(drawn.mean(0), exact, rtol=3 * (2 / 160) ** 0.5, atol=0)


def test_attention_adds_up_and_shares_lie_between_0_and_1(llama):
    torch.testing.assert_close(attention(llama, TWICE).sum(-1), torch.ones(len(TWICE)))
    found = heard(llama, TWICE, first=FIRST, second=SECOND, length=len(QUESTION))
    assert 0 < found.gradient < 1 and 0 < found.attention < 1


def test_two_places_that_differ_are_refused(llama):
    with pytest.raises(BadValue, match="the same 5 tokens"):
        heard(llama, TWICE, first=FIRST, second=SECOND + 1, length=len(QUESTION))
