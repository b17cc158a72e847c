"""Texts of a tree: their numbers are those of a fresh pass, and what was read once is not paid for twice."""

import pytest
import torch

from models.architectures import ARCHITECTURES, PAD, tiny
from operant.engine.check import tried
from operant.engine.prefixes import Onward, Prefixes, sample_onward
from operant.engine.sampler import sample
from operant.engine.state import PREFIX_REWARD, State
from operant.meter import metered
from operant.models.heads import new_reward_head
from operant.schema import Decoding

ROOT = (5, 9, 8, 7, 6, 4)
TREE = [ROOT, (*ROOT, 11, 12), (*ROOT, 11, 12, 13), (*ROOT, 14), (4, 5), ROOT[:3]]


def prefixes(name="llama", **settings):
    return Prefixes(tiny(name)[0], pad=PAD, **settings)


def fresh(module, text):
    return module(input_ids=torch.tensor([text])).logits[0, -1]


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_read_behind_a_prefix_is_what_is_read_of_the_whole(name):
    made, (module, _) = prefixes(name), tiny(name)
    made.state(TREE[:1], more=4)
    state = made.state(TREE, more=4)
    for row, text in enumerate(TREE):
        torch.testing.assert_close(state.last[row], fresh(module, text), atol=1e-4, rtol=1e-4)
    state.repeat(2)
    state.keep(torch.tensor([2, 3, 9]))  # both copies of the second text, one of the fifth
    state.step(torch.tensor([7, 8, 9]))
    for row, text in enumerate([(*TREE[1], 7), (*TREE[1], 8), (*TREE[4], 9)]):
        torch.testing.assert_close(state.last[row], fresh(module, text), atol=1e-4, rtol=1e-4)
    assert any(name[0] == "Prefixes" for name in tried(module))


@torch.no_grad()
def test_a_reward_of_prefixes_is_read_the_same_way():
    module, tokenizer = tiny("llama")
    head = new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))
    made = Prefixes(head, pad=PAD, reading=PREFIX_REWARD)
    made.state(TREE[:1], more=1)
    alone = [State(head, PREFIX_REWARD, [text], pad=PAD, more=1).last for text in TREE]
    torch.testing.assert_close(made.state(TREE, more=1).last, torch.cat(alone), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_only_what_is_new_is_paid_for():
    made = prefixes()
    made.state([ROOT], more=4)
    with metered() as cost:
        made.state([(*ROOT, 11, 12), (*ROOT, 14, 15)], more=4)
    assert cost.forward_tokens == 4  # two texts of eight tokens, six of each known
    with metered() as cost:
        made.state([(*ROOT, 11, 12)], more=4)
    assert cost.forward_tokens == 1  # the last token alone, for what follows it


@torch.no_grad()
def test_what_was_needed_longest_ago_is_forgotten_first():
    made = prefixes(most=14)
    for text in (ROOT, (1, 2, 3, 4), ROOT, (4, 3, 2, 1)):  # 6 + 4 + 4 tokens fit
        made.state([text], more=1)
    assert set(made.kept) == {ROOT, (1, 2, 3, 4), (4, 3, 2, 1)} and made.tokens == 14
    made.begun(ROOT)
    made.state([(9, 9)], more=1)
    assert set(made.kept) == {ROOT, (4, 3, 2, 1), (9, 9)} and made.tokens == 12


@pytest.mark.parametrize("rows", [256, 6])  # in flight: all at once, or so few that most join as others end
def test_draws_are_those_of_the_sampler(monkeypatch, rows):
    monkeypatch.setattr("operant.engine.sampler.ROWS", rows)
    module, _ = tiny("llama")
    prompts = [(str(place), text) for place, text in enumerate(TREE)]
    made, how = prefixes(), {"n": 3, "decoding": Decoding(max_tokens=5), "seed": 3, "stops": frozenset(range(12))}
    with torch.no_grad():
        made.state(TREE[:2], more=5)
    ours = sample_onward(made, prompts, **how)
    theirs = sample(module, prompts, pad=PAD, **how)
    assert [[one.tokens for one in many] for many in ours] == [[one.tokens for one in many] for many in theirs]
    assert [len(many) for many in ours] == [3] * len(TREE)
    for own, other in zip(ours[0], theirs[0], strict=True):
        assert own.logps == pytest.approx(other.logps, abs=1e-4) and own.stopped == other.stopped


@torch.no_grad()
def test_a_model_that_cannot_be_read_so_reads_anew(monkeypatch):
    module, _ = tiny("gpt2")
    monkeypatch.setattr("operant.engine.prefixes.holds", lambda *_, **__: False)
    state = Prefixes(module, pad=PAD).state(TREE, more=2)
    assert not isinstance(state, Onward)
    torch.testing.assert_close(state.last[1], fresh(module, TREE[1]), atol=1e-4, rtol=1e-4)
