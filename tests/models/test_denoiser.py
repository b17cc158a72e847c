"""Denoisers of both kinds: read from disk, priced as torch counts, and left as they were by gated layers."""

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.models.attention import GatedSelfAttentionDense
from torch import nn
from torch.testing import assert_close

from models.denoisers import transformer, unet
from operant.errors import OperantError
from operant.meter import metered
from operant.models.denoiser import Condition, Denoiser, attached, blocks

KINDS = {"transformer": (transformer, FlowMatchEulerDiscreteScheduler), "unet": (unet, DDIMScheduler)}


def denoiser(kind="transformer"):
    net, scheduler = KINDS[kind]
    return Denoiser(net(), scheduler())


class Adds(nn.Module):
    """A gated layer that adds the mean of what it is handed."""

    def forward(self, states, heard):
        return states + heard.scale * heard.tokens.mean()


def condition(rows=2, tokens=None):
    rng = torch.Generator().manual_seed(1)
    return Condition(torch.randn(rows, 4, 6, generator=rng), torch.ones(rows, 4), tokens)


def noisy(rows=2):
    return torch.randn(rows, 3, 8, 8, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", KINDS)
def test_the_disk_keeps_it(kind, tmp_path):
    made = denoiser(kind)
    made.save(tmp_path)
    loaded = Denoiser.load(tmp_path)
    times = torch.tensor([900, 100])
    assert torch.equal(loaded.predict(noisy(), times, condition()), made.predict(noisy(), times, condition()))
    assert loaded.process == made.process == {"transformer": "flow", "unet": "epsilon"}[kind]
    assert not any(weight.requires_grad for weight in loaded.net.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_heard_between_the_attentions_and_leave_nothing_behind(kind):
    made, tokens, times = denoiser(kind), torch.ones(2, 5, 7), torch.tensor([900, 100])
    plain, names = made.predict(noisy(), times, condition()), set(made.net.state_dict())
    layered = made.with_layers([Adds() for _ in blocks(made.net)])
    heard = layered.predict(noisy(), times, condition(tokens=tokens))
    assert not torch.equal(heard, plain)
    # without tokens, at scale 0 and once the layers are gone the net is what it was, to the last bit
    assert torch.equal(layered.predict(noisy(), times, condition()), plain)
    assert torch.equal(layered.predict(noisy(), times, condition(tokens=tokens), scale=0.0), plain)
    assert torch.equal(made.predict(noisy(), times, condition(tokens=tokens)), plain)
    assert set(made.net.state_dict()) == names
    with attached(made.net, [Adds() for _ in blocks(made.net)]):  # and those of somebody else stay where they are
        layered.predict(noisy(), times, condition(tokens=tokens))
        assert all(isinstance(block.__dict__["fuser"], Adds) for block in blocks(made.net))
    with pytest.raises(ValueError, match="zip"):
        made.with_layers([Adds()] * 7).predict(noisy(), times, condition(tokens=tokens))


def test_a_layer_stands_where_diffusers_puts_its_own():
    theirs = transformer(attention_type="gated")
    ours = transformer()
    ours.load_state_dict({name: value for name, value in theirs.state_dict().items() if "fuser" not in name})
    torch.manual_seed(3)
    fusers = [GatedSelfAttentionDense(16, 16, 2, 8) for _ in blocks(ours)]
    for place, fuser in enumerate(fusers):
        nn.init.constant_(fuser.alpha_attn, 0.5)
        theirs.transformer_blocks[place].fuser = fuser
    tokens = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(4))
    where = {"gligen": {"objs": tokens}}
    call = {"timestep": torch.tensor([9, 1]), "encoder_hidden_states": condition().context, "return_dict": False,
            "cross_attention_kwargs": where}  # fmt: skip
    with attached(ours, fusers):
        assert_close(ours(noisy(), **call), theirs(noisy(), **call), rtol=0, atol=0)


def test_a_pass_costs_what_its_products_cost():
    made, width, places, words = denoiser(), 16, 4, 4
    price = made.price(noisy(1), condition(1))
    patches = 2 * places * (3 * 16) * width
    projections = 2 * width * width * (4 * places + 2 * places + 2 * words)  # q k v out; q out; k v of the caption
    pairs = 4 * width * (places**2 + places * words)
    feed = 2 * 2 * 4 * width**2 * places
    caption = 2 * words * (6 * width + width * width)
    times = 2 * (256 * width + width * width + 6 * width * width)
    out = 2 * places * width * (3 * 16)
    assert price.forward == patches + 2 * (projections + pairs + feed) + caption + times + out
    assert price.backward == 0  # nothing is trained
    with metered() as cost:
        made.predict(noisy(), torch.tensor([1, 2]), condition())
    assert (cost.forward_flops, cost.denoiser_calls) == (2 * price.forward, 2)


def test_the_pass_back_is_priced_where_something_is_trained():
    made = denoiser()
    made.net.requires_grad_(True)
    price = made.price(noisy(1), condition(1))
    assert 1.5 * price.forward < price.backward < 2 * price.forward  # all weights and, but for the first, all states


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(OperantError, match="holds no denoiser; expected a diffusers pipeline"):
        Denoiser.load(tmp_path)
    with pytest.raises(OperantError, match="wants the picture's size"):
        Denoiser(transformer(use_additional_conditions=True), FlowMatchEulerDiscreteScheduler())
    with pytest.raises(OperantError, match="Linear has no blocks with self- and cross-attention"):
        blocks(nn.Linear(2, 2))
    with pytest.raises(OperantError, match="predicts 'nothing' is not known"):
        assert Denoiser(unet(), DDIMScheduler(prediction_type="nothing")).process
