"""Two attentions side by side, and a gate."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from operant.conditioning.gated_parallel import Attention, GatedParallelAttention, sinusoids


class Says(nn.Module):
    """An attention that says the same to everyone."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self):
        return torch.full((1, 1, 1), self.value)


@pytest.mark.parametrize(
    "exclusive, gate, wanted",
    [(False, 1.0, 3.0), (True, 1.0, 2.0), (False, 0.0, 1.0), (True, 0.0, 1.0), (True, 0.5, 0.5 * 2 / 2 + 0.5 * 4 / 2)],
)
def test_what_is_added_by_hand(exclusive, gate, wanted):
    # S = 2, C = 4: (2 + 4) / 2 = 3 where shared, 4 / 2 = 2 where the condition alone is heard, 2 / 2 = 1 where not
    both = GatedParallelAttention(Says(2.0), Says(4.0), exclusive=exclusive)
    got = both(lambda own: own(), lambda cross: cross(), torch.tensor([[gate]]))
    assert got.item() == wanted


def attention():
    return Attention(8, 2, rng=torch.Generator().manual_seed(0))


def test_attention_is_that_of_torch():
    own, states = attention(), torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([own.query.weight, own.key.weight, own.value.weight]))
        theirs.in_proj_bias.zero_()
        theirs.out_proj.weight.copy_(own.out.weight)
        theirs.out_proj.bias.zero_()
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    got = own(states, own.read(states), mask.expand(2, -1, -1))
    wanted, _ = theirs(states, states, states, attn_mask=~mask)
    assert_close(got, wanted)


def test_what_is_masked_is_not_heard():
    own, states = attention(), torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[[True, True, False, False]]])
    changed = states.clone()
    changed[:, 2:] = 9.0
    assert torch.equal(own(states[:, :1], own.read(states), mask), own(states[:, :1], own.read(changed), mask))


def test_sinusoids_by_hand():
    table = sinusoids(3, 4)
    assert_close(table[0], torch.tensor([0.0, 1.0, 0.0, 1.0]))
    assert_close(table[2], torch.tensor([2.0, 2.0, 0.02, 0.02]).sin() * torch.tensor([1.0, 0, 1, 0])
                 + torch.tensor([2.0, 2.0, 0.02, 0.02]).cos() * torch.tensor([0.0, 1, 0, 1]))  # fmt: skip
