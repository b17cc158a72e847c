"""A gate that is shut changes nothing; an open one adds what was worked out by hand."""

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from operant.conditioning.gated_tokens import GatedTokenAttention
from operant.models.denoiser import Grounded


def layer():
    return GatedTokenAttention(8, 6, 2, rng=torch.Generator().manual_seed(0))


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_fresh_layer_changes_nothing_and_still_learns():
    made, states, tokens = layer(), drawn(2, 5, 8), drawn(2, 3, 6, seed=2)
    assert torch.equal(made(states, Grounded(tokens, 1.0)), states)
    made(states, Grounded(tokens, 1.0)).square().sum().backward()
    assert made.gate_attention.grad != 0 and made.gate_feed.grad != 0
    assert made.gates == (0.0, 0.0)


def test_what_an_open_gate_adds_by_hand():
    made, states, tokens = layer(), drawn(1, 5, 8), drawn(1, 3, 6, seed=2)
    with torch.no_grad():
        made.gate_attention.fill_(0.5)
        made.gate_feed.fill_(-0.3)
        joined = F.layer_norm(torch.cat([states, tokens @ made.project.weight.T + made.project.bias], 1), (8,))
        own = made.attention
        queries, keys, values = (part(joined).unflatten(-1, (2, 4)).transpose(1, 2)
                                 for part in (own.query, own.key, own.value))  # fmt: skip
        weights = (queries @ keys.transpose(-1, -2) / 2).softmax(-1)  # heads are 4 wide: 1 / sqrt(4)
        heard = own.out((weights @ values).transpose(1, 2).flatten(2))[:, :5]
        middle = states + 0.7 * torch.tensor(0.5).tanh() * heard
        value, gate = made.inner(F.layer_norm(middle, (8,))).chunk(2, -1)
        wanted = middle + 0.7 * torch.tensor(-0.3).tanh() * made.outer(value * F.gelu(gate))
        assert_close(made(states, Grounded(tokens, 0.7)), wanted)
        assert torch.equal(made(states, Grounded(tokens, 0.0)), states)
