"""A growing batch with kept keys and values reads what a fresh pass over the whole text reads."""

import pytest
import torch

from models.architectures import ARCHITECTURES, PAD, tiny
from operant.engine.reward import reward_scores
from operant.engine.state import NEXT_LOGITS, PREFIX_REWARD, State
from operant.meter import metered
from operant.models.heads import new_reward_head
from operant.models.text import Encoded

PROMPTS = [(5,), (9, 8, 7, 6), (4, 5)]


def head_of(name):
    module, tokenizer = tiny(name)
    return new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))


def scores(head, texts):
    _, tokenizer = tiny("llama")
    return reward_scores(head, tokenizer, [Encoded(ids, ()) for ids in texts])


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rewards_of_prefixes_are_those_of_fresh_texts(name):
    head = head_of(name)
    state = State(head, PREFIX_REWARD, PROMPTS, pad=PAD, more=4)
    assert state.last.tolist() == pytest.approx(scores(head, PROMPTS).tolist(), abs=1e-5)
    state.step(torch.tensor([7, 8, 9]))
    grown = [(*ids, token) for ids, token in zip(PROMPTS, (7, 8, 9), strict=True)]
    assert state.last.tolist() == pytest.approx(scores(head, grown).tolist(), abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_peeking_reads_every_choice_and_keeps_nothing(name):
    head = head_of(name)
    state = State(head, PREFIX_REWARD, PROMPTS, pad=PAD, more=4)
    choices = torch.tensor([[7, 8], [9, 10], [11, 12]])
    seen = state.peek(choices)
    for row, ids in enumerate(PROMPTS):
        fresh = scores(head, [(*ids, int(token)) for token in choices[row]])
        assert seen[row].tolist() == pytest.approx(fresh.tolist(), abs=1e-5)
    state.step(choices[:, 0])
    assert state.last.tolist() == pytest.approx(seen[:, 0].tolist(), abs=1e-5)


@torch.no_grad()
def test_rows_are_repeated_and_dropped():
    module, _ = tiny("llama")
    state = State(module, NEXT_LOGITS, PROMPTS, pad=PAD, more=4)
    first = state.last.clone()
    state.repeat(2)
    assert torch.equal(state.last, first[[0, 0, 1, 1, 2, 2]])
    state.keep(torch.tensor([1, 4]))
    state.step(torch.tensor([7, 8]))
    for row, ids in enumerate([(*PROMPTS[0], 7), (*PROMPTS[2], 8)]):
        fresh = module(input_ids=torch.tensor([ids])).logits[0, -1]
        assert torch.allclose(state.last[row], fresh, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rows_that_ended_may_stay_in_memory_and_change_nothing(name, monkeypatch):
    module, _ = tiny(name)
    state = State(module, NEXT_LOGITS, PROMPTS, pad=PAD, more=4)
    monkeypatch.setattr("operant.engine.state.GHOSTS", 0.5)
    state.keep(torch.tensor([0, 2]))  # 2 of 3: more than half
    assert state.rows == 3
    with metered() as spent:
        state.step(torch.tensor([7, 8]))
    assert spent.forward_tokens == 3  # what is read is paid
    for row, ids in enumerate([(*PROMPTS[0], 7), (*PROMPTS[2], 8)]):
        assert torch.allclose(state.last[row], module(input_ids=torch.tensor([ids])).logits[0, -1], atol=1e-5)
    state.keep(torch.tensor([1]))  # 1 of 3
    assert state.rows == 1
    state.step(torch.tensor([9]))
    assert torch.allclose(state.last[0], module(input_ids=torch.tensor([[4, 5, 8, 9]])).logits[0, -1], atol=1e-5)


@torch.no_grad()
def test_another_joins_behind_what_is_left():
    module, _ = tiny("llama")
    state = State(module, NEXT_LOGITS, PROMPTS, pad=PAD, more=4)
    state.step(torch.tensor([7, 8, 9]))
    state.keep(torch.tensor([1, 2]))
    state.join(State(module, NEXT_LOGITS, [(6, 6)], pad=PAD, more=4))
    assert len(state.last) == 3
    state.step(torch.tensor([10, 11, 12]))
    for row, ids in enumerate([(*PROMPTS[1], 8, 10), (*PROMPTS[2], 9, 11), (6, 6, 12)]):
        assert torch.allclose(state.last[row], module(input_ids=torch.tensor([ids])).logits[0, -1], atol=1e-5)
