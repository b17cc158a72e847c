"""A growing batch with kept keys and values reads what a fresh pass over the whole text reads."""

import pytest
import torch

from models.architectures import ARCHITECTURES, PAD, tiny
from operant.engine.state import next_logits, prefix_reward, start
from operant.models.heads import new_reward_head, scores

PROMPTS = [(5,), (9, 8, 7, 6), (4, 5)]


def head_of(name):
    module, tokenizer = tiny(name)
    return new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rewards_of_prefixes_are_those_of_fresh_texts(name):
    head = head_of(name)
    state = start(head, PROMPTS, prefix_reward, pad=PAD)
    assert state.last.tolist() == pytest.approx(scores(head, PROMPTS, pad=PAD).tolist(), abs=1e-5)
    state.step(torch.tensor([7, 8, 9]))
    grown = [(*ids, token) for ids, token in zip(PROMPTS, (7, 8, 9), strict=True)]
    assert state.last.tolist() == pytest.approx(scores(head, grown, pad=PAD).tolist(), abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_peeking_reads_every_choice_and_keeps_nothing(name):
    head = head_of(name)
    state = start(head, PROMPTS, prefix_reward, pad=PAD)
    choices = torch.tensor([[7, 8], [9, 10], [11, 12]])
    seen = state.peek(choices)
    for row, ids in enumerate(PROMPTS):
        fresh = scores(head, [(*ids, int(token)) for token in choices[row]], pad=PAD)
        assert seen[row].tolist() == pytest.approx(fresh.tolist(), abs=1e-5)
    state.step(choices[:, 0])
    assert state.last.tolist() == pytest.approx(seen[:, 0].tolist(), abs=1e-5)


@torch.no_grad()
def test_rows_are_repeated_and_dropped():
    module, _ = tiny("llama")
    state = start(module, PROMPTS, next_logits, pad=PAD)
    first = state.last.clone()
    state.repeat(2)
    assert torch.equal(state.last, first[[0, 0, 1, 1, 2, 2]])
    state.keep(torch.tensor([1, 4]))
    state.step(torch.tensor([7, 8]))
    for row, ids in enumerate([(*PROMPTS[0], 7), (*PROMPTS[2], 8)]):
        fresh = module(input_ids=torch.tensor([ids])).logits[0, -1]
        assert torch.allclose(state.last[row], fresh, atol=1e-5)
