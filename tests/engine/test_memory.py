"""Texts that grow behind a shared prompt give the numbers of texts that are read whole."""

import copy
import warnings

import pytest
import torch

from models.architectures import ARCHITECTURES, CAUGHT, PACKED, PAD, random_model
from operant.engine import check
from operant.engine.attention import attending
from operant.engine.layout import padded
from operant.engine.memory import Repeated, Reread, Shared, _trial, memory_of
from operant.engine.shared import ROOM, SHARED
from operant.errors import OperantError
from operant.models.text import Encoded

PROMPTS = [(4, 5, 6, 7, 8, 9, 10), (11,), (12, 13)]
LEFT = {1: [0, 2, 3, 4, 7], 3: [1, 2, 4], 4: [0, 2]}  # step -> rows that go on; 3 prompts have 3 answers each at first


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    monkeypatch.setattr(check, "_found", type(check._found)())


def grown(module, memory, tokens):
    """The last hidden state after every step, and the texts that they are of."""
    memory.start(module.base_model)
    memory.repeat(3)
    alive, states, texts = torch.arange(9), [], []
    for time in range(tokens.shape[1]):
        if time in LEFT:
            alive = alive[LEFT[time]]
            memory.keep(torch.tensor(LEFT[time]))
        states.append(memory.step(module.base_model, tokens[alive, time])[0][:, -1])
        texts += [PROMPTS[row // 3] + tuple(tokens[row, : time + 1].tolist()) for row in alive.tolist()]
    return torch.cat(states), texts


@torch.no_grad()
@pytest.mark.parametrize("name", (*ARCHITECTURES, *PACKED))
def test_answers_behind_a_shared_prompt_are_those_of_whole_texts(name):
    module = random_model(name)
    tokens = torch.randint(4, 24, (9, 12), generator=torch.Generator().manual_seed(0))
    memory = memory_of(module, PROMPTS, pad=PAD, more=12)
    assert isinstance(memory, Shared)
    states, texts = grown(module, memory, tokens)
    for state, text in zip(states, texts, strict=True):
        expected = module.base_model(input_ids=torch.tensor([text]))[0][0, -1]
        assert (state - expected).norm() < 5e-6 * expected.norm()


@torch.no_grad()
@pytest.mark.parametrize("kind", [Shared, Repeated, Reread])
@pytest.mark.parametrize("name", ["llama", "gpt2", "Mistral"])
def test_others_join_later_and_those_before_them_may_all_go(name, kind):
    module = random_model(name)
    made = [kind(module, padded([Encoded(ids, ()) for ids in some], pad=PAD, device="cpu"))
            for some in (PROMPTS[1:], PROMPTS[:1])]  # fmt: skip
    for memory in made:
        memory.start(module.base_model)
        memory.repeat(2)
    memory, late = made
    if not memory.joinable:
        assert (name, kind) == ("Mistral", Repeated)  # its layers forget what is outside of the window
        return
    tokens = torch.randint(4, 24, (6, 14), generator=torch.Generator().manual_seed(0))
    texts, alive = [[*PROMPTS[1 + row // 2]] for row in range(4)] + [[*PROMPTS[0]] for _ in range(2)], [0, 1, 2, 3]
    widths = []
    for time in range(14):
        if time == 3:
            memory.join(late)
            alive += [4, 5]
        if time in (5, 9):  # first some of each; then those that were there before the others joined
            rows = [0, 2, 4, 5] if time == 5 else [2, 3]
            alive = [alive[row] for row in rows]
            memory.keep(torch.tensor(rows))
        states = memory.step(module.base_model, tokens[alive, time])[0][:, -1]
        for row, state in zip(alive, states, strict=True):
            texts[row].append(int(tokens[row, time]))
            expected = module.base_model(input_ids=torch.tensor([texts[row]]))[0][0, -1]
            assert (state - expected).norm() < 5e-6 * expected.norm()
        widths.append(memory.width)
    assert widths[2:4] == [2 + 3, 7 + 4 if kind is Shared else 7 + 1]  # the longest prompt, and the columns of answers
    assert widths[8:10] == [7 + 9 if kind is Shared else 7 + 6, 7 + 7]  # those that joined have read 6 tokens, then 7


@torch.no_grad()
def test_answers_that_have_begun_do_not_join():
    module = random_model("llama")
    made = [memory_of(module, PROMPTS, pad=PAD, more=4) for _ in range(2)]
    for memory in made:
        memory.start(module.base_model)
        memory.step(module.base_model, torch.tensor([5, 6, 7]))
    with pytest.raises(OperantError, match="answers of 1 tokens cannot join others"):
        made[0].join(made[1])


@torch.no_grad()
@pytest.mark.parametrize("name, kind", [("Bloom", Repeated), ("Llama4", Repeated), ("Mamba", Reread), ("Lfm2", Reread)])
def test_others_remember_less_and_say_so(name, kind):
    module = random_model(name)
    tokens = torch.randint(4, 24, (9, 6), generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        memory = memory_of(module, PROMPTS, pad=PAD, more=6)
        memory_of(module, PROMPTS, pad=PAD, more=6)
    assert isinstance(memory, kind)
    assert len([one for one in said if "which is slower" in str(one.message)]) == (1 if kind is Repeated else 2)
    states, texts = grown(module, memory, tokens)
    expected = [module.base_model(input_ids=torch.tensor([text]))[0][0, -1] for text in texts]
    assert (states - torch.stack(expected)).norm() < 5e-6 * torch.stack(expected).norm()


def test_the_four_that_are_caught_are_tested():
    assert set(CAUGHT) == {"Bloom", "Llama4", "Mamba", "Lfm2"}


@torch.no_grad()
def test_a_prompt_stands_in_memory_once():
    module = random_model("llama")
    memory = memory_of(module, PROMPTS, pad=PAD, more=4)
    memory.start(module.base_model)
    memory.repeat(16)
    memory.step(module.base_model, torch.full((48,), 5))
    prompts, answers = memory.cache.prompts[0].keys, memory.cache.answers[0].keys
    assert prompts.shape[:3] == (3, 2, 7)  # prompts, key heads, longest prompt
    assert answers.shape[:3] == (48, 2, ROOM)
    memory.keep(torch.tensor([0, 1, 47]))
    assert memory.cache.prompts[0].keys.shape[0] == 2 and memory.cache.answers[0].keys.shape[0] == 3


@torch.no_grad()
def test_answers_outgrow_the_room_that_was_set_aside():
    module, row = random_model("llama"), (4, 5)
    tokens = torch.randint(4, 24, (1, ROOM + 3), generator=torch.Generator().manual_seed(1))
    memory = memory_of(module, [row], pad=PAD, more=ROOM + 3)
    memory.start(module.base_model)
    for time in range(ROOM + 3):
        state = memory.step(module.base_model, tokens[:, time])[0][0, -1]
    expected = module.base_model(input_ids=torch.tensor([row + tuple(tokens[0].tolist())]))[0][0, -1]
    assert (state - expected).norm() < 5e-6 * expected.norm()


@torch.no_grad()
def test_a_window_that_is_ignored_is_found():
    module = copy.deepcopy(random_model("Mistral"))

    class Blind(Shared):
        def step(self, forward, token):
            module.config.sliding_window = None
            try:
                return super().step(forward, token)
            finally:
                module.config.sliding_window = 9

    ours, theirs = _trial(module, Blind, 64)
    assert (ours - theirs).norm() > 0.01 * theirs.norm()


def test_attention_without_its_cache_fails():
    module = random_model("llama")
    with attending(module, SHARED), pytest.raises(OperantError, match="not told the cache"):
        module(input_ids=torch.tensor([[4]]))


def test_memories_are_made_from_padded_prompts():
    layout = padded([Encoded(ids, ()) for ids in PROMPTS], pad=PAD, device="cpu")
    assert Shared(random_model("llama"), layout).position.flatten().tolist() == [6, 0, 1]
