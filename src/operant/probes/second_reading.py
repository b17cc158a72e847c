"""What a second reading lets a causal model do: words of the second copy hear words that come later in the first.

In one reading position i hears nothing of positions behind it. In the second copy the words behind i have been read
already, in the first: how much of what i hears comes from them is measured by gradient and by attention.
Source: Xu et al. 2024, arXiv:2309.06275, sec. 2 (their argument; they do not measure it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.engine.attention import attending
from operant.errors import require
from operant.meter import charge
from operant.models.flops import forward_flops

DRAWN = 4  # random directions by which the size of a Jacobian is estimated


class Heard(NamedTuple):
    """Means over the words of a copy but its last, each 0 to 1."""

    gradient: float  # share of the gradient that goes to words behind the own one, in the first copy
    attention: float  # share of attention that goes there, over layers and heads


def states(module: Any, embedded: Tensor) -> Tensor:
    """[time, width] last hidden states of one text, given the embeddings [time, width] of its tokens."""
    return module(inputs_embeds=embedded[None], output_hidden_states=True, use_cache=False).hidden_states[-1][0]


def jacobian_norms(module: Any, ids: Sequence[int], places: Sequence[int], *, seed: int = 0) -> Tensor:
    """[places, time] ||d h_i / d e_j||, the Frobenius norm, of the last hidden state at place i by the embedding at j.

    Its square is the mean of ||v^T d h_i / d e_j||^2 over v ~ N(0, 1), here of a few v: right on average.
    """
    rng = torch.Generator().manual_seed(seed)
    flops = forward_flops(module, tokens=len(ids), attended=len(ids) ** 2, head_rows=0)
    passes = DRAWN * len(places)
    charge(forward_flops=flops, forward_tokens=len(ids), backward_flops=flops * passes, backward_tokens=len(ids))
    with torch.enable_grad():
        tokens = torch.tensor(list(ids), device=next(module.parameters()).device)
        embedded = module.get_input_embeddings()(tokens).detach().requires_grad_()
        found = states(module, embedded)
        squares = torch.zeros(len(places), len(ids))
        for row, place in enumerate(places):
            for _ in range(DRAWN):
                direction = torch.randn(found.shape[1], generator=rng).to(found)
                (gradient,) = torch.autograd.grad(found[place] @ direction, embedded, retain_graph=True)
                squares[row] += gradient.float().pow(2).sum(-1).cpu() / DRAWN
    return squares.sqrt()


@torch.no_grad()
def attention(module: Any, ids: Sequence[int]) -> Tensor:
    """[time, time] where each place looks, mean over layers and heads; rows add up to 1."""
    tokens = torch.tensor([list(ids)], device=next(module.parameters()).device)
    charge(forward_flops=forward_flops(module, tokens=len(ids), attended=len(ids) ** 2, head_rows=0),
           forward_tokens=len(ids))  # fmt: skip
    with attending(module, "eager"):  # other kernels do not say where they look
        looked = module(input_ids=tokens, output_attentions=True, use_cache=False).attentions
    return torch.stack([one[0].float().mean(0) for one in looked]).mean(0)


def heard(module: Any, ids: Sequence[int], *, first: int, second: int, length: int) -> Heard:
    """How much the second copy hears of words that in the first stand behind its own.

    Args:
        ids: of a text in which `length` tokens stand twice, from `first` and from `second` on.
    """
    require(list(ids[first : first + length]) == list(ids[second : second + length]), "ids", "two other texts",
            f"the same {length} tokens from {first} and from {second} on")  # fmt: skip
    places = range(second, second + length - 1)
    norms, looks = jacobian_norms(module, ids, places), attention(module, ids)
    shares = []
    for row, place in enumerate(places):
        behind = slice(first + row + 1, first + length)
        shares.append((float(norms[row, behind].sum() / norms[row].sum()), float(looks[place, behind].sum())))
    return Heard(*(sum(side) / len(shares) for side in zip(*shares, strict=True)))
