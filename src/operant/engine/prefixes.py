"""Texts that begin alike, as in a tree: what one of them has read, another does not read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from operant.engine.check import bucket, holds, random_ids
from operant.engine.layout import padded
from operant.engine.memory import Repeated
from operant.engine.mix import Part
from operant.engine.sampler import Asked, Sampled, Source, sample_from
from operant.engine.state import NEXT_LOGITS, Reading, State
from operant.models.flops import price_of
from operant.models.text import Encoded
from operant.schema import Decoding

MOST = 65_536  # tokens whose keys and values are kept; the text that was needed longest ago is forgotten first

Ids = tuple[int, ...]
Kept = list[tuple[Tensor, Tensor]]  # of each layer, keys and values [heads, tokens, size]


class Prefixes:
    """What one model has read, by text. Weights that change make it worthless: start a new one."""

    def __init__(self, module: Any, *, pad: int, reading: Reading = NEXT_LOGITS, most: int = MOST):
        self.module, self.pad, self.reading, self.most = module, pad, reading, most
        self.kept: OrderedDict[Ids, Kept] = OrderedDict()
        self.tokens = 0

    def state(self, texts: Sequence[Ids], *, more: int) -> State:
        """The texts, read to their ends and ready to grow by up to `more` tokens."""
        length = bucket(self.module, max(map(len, texts)) + more)
        trial = partial(_trial, self.module, self.reading, length)
        if not holds(self.module, ("Prefixes", length), trial, otherwise="reads the texts of a tree anew, each whole"):
            return State(self.module, self.reading, texts, pad=self.pad, more=more)
        return Onward(self, texts)

    def begun(self, text: Ids) -> Kept | None:
        """Keys and values of the longest kept text that this one begins with, of all but its last token at most."""
        for end in range(len(text), 0, -1):
            found = self.kept.get(text[:end])
            if found is not None:
                self.kept.move_to_end(text[:end])
                most = min(end, len(text) - 1)
                return [(keys[:, :most], values[:, :most]) for keys, values in found] if most else None
        return None

    def keep(self, text: Ids, layers: Kept) -> None:
        if text not in self.kept:
            self.kept[text] = layers
            self.tokens += len(text)
        while self.tokens > self.most and len(self.kept) > 1:
            self.tokens -= len(self.kept.popitem(last=False)[0])


class _Read(NamedTuple):
    """What is computed of some texts: their ends, behind what is known of each."""

    ids: Tensor  # [rows, new], padded on the left, as all below
    positions: Tensor  # [rows, new]
    attend: Tensor  # [rows, known + new]
    lengths: list[int]  # of each row, how much is known


class Onward(State):
    """A state whose prompts were read from what is kept; what they add is kept too."""

    def __init__(self, prefixes: Prefixes, texts: Sequence[Ids]):
        module = prefixes.module
        self.module, self.reading, self.price = module, prefixes.reading, price_of(module)
        before = [prefixes.begun(text) for text in texts]
        read = _layout(texts, before, pad=prefixes.pad, device=next(module.parameters()).device)
        cache = _joined(before, max(read.lengths))
        memory = Repeated(
            module, padded([Encoded(text, ()) for text in texts], pad=prefixes.pad, device=read.ids.device)
        )

        def start(forward: Any) -> Any:
            out = forward(
                input_ids=read.ids, attention_mask=read.attend, position_ids=read.positions, past_key_values=cache,
                use_cache=True,
            )  # fmt: skip
            memory.cache = out.past_key_values
            return out

        self.memory, self.places, memory.attend = memory, None, read.attend
        self.last = self._read(start, rows=len(texts), queries=read.ids.shape[1])
        for row, text in enumerate(texts):
            own = read.attend[row].bool()
            prefixes.keep(text, [(one.keys[row][:, own], one.values[row][:, own]) for one in memory.cache.layers])


def _layout(texts: Sequence[Ids], before: Sequence[Kept | None], *, pad: int, device: torch.device) -> _Read:
    lengths = [0 if one is None else one[0][0].shape[1] for one in before]
    ends = [text[known:] for text, known in zip(texts, lengths, strict=True)]
    known, new = max(lengths), max(map(len, ends))
    ids = torch.tensor([[pad] * (new - len(end)) + list(end) for end in ends], device=device)
    positions = torch.tensor(
        [[0] * (new - len(end)) + list(range(have, have + len(end))) for end, have in zip(ends, lengths, strict=True)],
        device=device,
    )
    attend = torch.tensor(
        [[0] * (known - have) + [1] * have + [0] * (new - len(end)) + [1] * len(end)
         for end, have in zip(ends, lengths, strict=True)], device=device,
    )  # fmt: skip
    return _Read(ids, positions, attend, lengths)


def _joined(before: Sequence[Kept | None], known: int) -> DynamicCache:
    """Of all rows, padded on the left to as many tokens."""
    if not known:
        return DynamicCache()
    some = next(one for one in before if one is not None)
    layers = []
    for place, (like, _) in enumerate(some):
        both = [like.new_zeros(len(before), like.shape[0], known, one.shape[-1]) for one in some[place]]
        for row, kept in enumerate(before):
            for whole, part in zip(both, kept[place] if kept is not None else (), strict=False):
                whole[row, :, known - part.shape[1] :] = part
        layers.append(tuple(both))
    return DynamicCache(layers)


def sample_onward(
    prefixes: Prefixes, prompts: Sequence[tuple[str, Ids]], *, n: int, decoding: Decoding, seed: int,
    stops: frozenset[int],
) -> list[list[Sampled]]:  # fmt: skip
    """`sample`, of texts that were read in part already: n continuations for each (id of its draws, token ids)."""
    source = Source([Part(prefixes.module)], reads=[prefixes.state])
    asked = [Asked(name, (ids,)) for name, ids in prompts]
    return sample_from(source, asked, n=n, decoding=decoding, seed=seed, stops=stops, pad=prefixes.pad)


def _trial(module: Any, reading: Reading, length: int) -> tuple[Tensor, Tensor]:
    """What is read at the ends of a small tree's texts, and a token later; and of each text read alone."""
    ids = random_ids(module, length, seed=0)
    prefixes = Prefixes(module, pad=0, reading=reading)
    Onward(prefixes, [ids[: length // 2], ids[1:4]])
    texts = [ids[: length - 8], (*ids[: length // 2], 1), ids[: length // 2], ids[2:9], (*ids[1:4], *ids[:5])]
    state = Onward(prefixes, texts)
    ours = [state.last]
    state.step(torch.tensor([1] * len(texts), device=state.last.device))
    alone = [State(module, reading, [text], pad=0, more=1) for text in texts]
    theirs = [torch.cat([one.last for one in alone])]
    for one in alone:
        one.step(torch.tensor([1], device=one.last.device))
    return torch.cat([*ours, state.last]), torch.cat([*theirs, *(one.last for one in alone)])
