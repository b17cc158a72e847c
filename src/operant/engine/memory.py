"""What a model remembers of texts that grow token by token.

Shared: keys and values of a prompt once for all its answers. Repeated: transformers' own cache, a copy for each answer.
Reread: nothing, so every step reads the whole texts again. A model is given the first of them that it computes its own
numbers with.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from operant.engine.attention import attending
from operant.engine.check import bucket, holds, random_ids
from operant.engine.layout import Layout, padded
from operant.engine.shared import SHARED, SharedCache, behind, empty_columns
from operant.models.causal import body_of
from operant.models.text import Encoded

STAYING = {2: (0, 3, 4), 4: (1, 2, 3, 5)}  # step of a trial -> which rows go on; at the last one prompt has none
JOINING = 3  # the step before which the answers of another prompt join
Forward = Callable[..., Any]  # a forward pass; what it returns has `past_key_values`, where a cache is used


class Memory(Protocol):
    """Of rows of texts, each with one prompt; made from the layout of the prompts, padded on the left."""

    anew: bool  # whether every step reads the whole texts

    @property
    def width(self) -> int:
        """Tokens that the last of every row looks at, padding included."""
        ...

    @property
    def joinable(self) -> bool:
        """Whether others may join; known once the prompts were read."""
        ...

    def start(self, forward: Forward) -> Any:
        """Read the prompts."""
        ...

    def step(self, forward: Forward, token: Tensor) -> Any:
        """Read one token more of every row, [rows]."""
        ...

    def repeat(self, copies: int) -> None:
        """Every row `copies` times, side by side."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in their order."""
        ...

    def join(self, other: Any) -> None:
        """Behind these rows, those of another memory of this kind, whose prompts were just read."""
        ...

    def twin(self) -> Memory:
        """Another that may be repeated and take a step while this one stays as it is."""
        ...


class Shared:
    anew, joinable = False, True

    def __init__(self, module: Any, layout: Layout):
        self.module, self.layout = module, layout
        self.attend: Any = layout.attend
        self.cache: Any = DynamicCache()
        self.position = layout.positions[:, -1:]

    @property
    def width(self) -> int:
        return self.cache.get_seq_length() if isinstance(self.cache, SharedCache) else self.attend.shape[1]

    def start(self, forward: Forward) -> Any:
        out = forward(**_whole(self.layout), past_key_values=self.cache, use_cache=True)
        self.cache = SharedCache(self.cache, self.attend)
        return out

    def step(self, forward: Forward, token: Tensor) -> Any:
        self.position = self.position + 1
        with attending(self.module, SHARED):
            out = forward(
                input_ids=token.unsqueeze(1), attention_mask=None, position_ids=self.position,
                past_key_values=self.cache, shared=self.cache, use_cache=True,
            )  # fmt: skip
        self.cache.advance()
        return out

    def repeat(self, copies: int) -> None:
        self.cache.repeat(copies)
        self.position = self.position.repeat_interleave(copies, 0)

    def keep(self, rows: Tensor) -> None:
        self.cache.keep(rows)
        self.position = self.position[rows]

    def join(self, other: Shared) -> None:
        self.cache.join(other.cache)
        self.position = torch.cat([self.position, other.position])

    def twin(self) -> Shared:
        other = copy.copy(self)
        other.cache = self.cache.twin()
        return other


class Repeated:
    anew = False

    def __init__(self, _: Any, layout: Layout):
        self.layout, self.position = layout, layout.positions[:, -1:]
        self.attend: Any = layout.attend
        self.cache: Any = None

    @property
    def width(self) -> int:
        return self.attend.shape[1]

    @property
    def joinable(self) -> bool:
        return all(type(layer) is DynamicLayer for layer in getattr(self.cache, "layers", [None]))

    def start(self, forward: Forward) -> Any:
        out = forward(**_whole(self.layout), use_cache=True)
        self.cache = out.past_key_values
        return out

    def step(self, forward: Forward, token: Tensor) -> Any:
        self.attend = torch.cat([self.attend, self.attend.new_ones(len(token), 1)], 1)
        self.position = self.position + 1
        return forward(
            input_ids=token.unsqueeze(1), attention_mask=self.attend, position_ids=self.position,
            past_key_values=self.cache, use_cache=True,
        )  # fmt: skip

    def repeat(self, copies: int) -> None:
        self.cache.batch_repeat_interleave(copies)
        self.attend, self.position = (one.repeat_interleave(copies, 0) for one in (self.attend, self.position))

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.attend, self.position = self.attend[rows], self.position[rows]
        empty = empty_columns(self.attend) if self.joinable else 0
        if empty:
            self.attend = self.attend[:, empty:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[:, :, empty:], layer.values[:, :, empty:]

    def join(self, other: Repeated) -> None:
        for layer, more in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.keys, layer.values = behind(layer.keys, more.keys, dim=2), behind(layer.values, more.values, dim=2)
        self.attend = behind(self.attend, other.attend, dim=1)
        self.position = torch.cat([self.position, other.position])

    def twin(self) -> Repeated:
        other = copy.copy(self)
        other.cache = copy.deepcopy(self.cache)
        return other


class Reread:
    anew, joinable = True, True

    def __init__(self, _: Any, layout: Layout):
        self.texts = _whole(layout)

    @property
    def width(self) -> int:
        return self.texts["attention_mask"].shape[1]

    def start(self, forward: Forward) -> Any:
        return forward(**self.texts, use_cache=False)

    def step(self, forward: Forward, token: Tensor) -> Any:
        ids, attend, positions = self.texts.values()
        more = token.unsqueeze(1), attend.new_ones(len(token), 1), positions[:, -1:] + 1
        both = zip(self.texts.items(), more, strict=True)
        self.texts = {name: torch.cat([before, one], 1) for (name, before), one in both}
        return self.start(forward)

    def repeat(self, copies: int) -> None:
        self.texts = {name: one.repeat_interleave(copies, 0) for name, one in self.texts.items()}

    def keep(self, rows: Tensor) -> None:
        empty = empty_columns(self.texts["attention_mask"][rows])
        self.texts = {name: one[rows, empty:] for name, one in self.texts.items()}

    def join(self, other: Reread) -> None:
        self.texts = {name: behind(one, other.texts[name], dim=1) for name, one in self.texts.items()}

    def twin(self) -> Reread:
        return copy.copy(self)


def _whole(layout: Layout) -> dict[str, Any]:
    return {"input_ids": layout.ids, "attention_mask": layout.attend, "position_ids": layout.positions}


def memory_of(module: Any, prompts: Sequence[tuple[int, ...]], *, pad: int, more: int) -> Memory:
    """For prompts that grow by up to `more` tokens."""
    longest = max(map(len, prompts)) + more
    layout = padded([Encoded(ids, ()) for ids in prompts], pad=pad, device=next(module.parameters()).device)
    for kind, otherwise in ((Shared, "keeps a copy of the prompt for each answer"), (Repeated, "reads texts anew")):
        length = bucket(module, longest)
        trial = partial(_trial, module, kind, length)
        if holds(module, (kind.__name__, length), trial, otherwise=f"{otherwise}, which is slower"):
            return kind(module, layout)
    return Reread(module, layout)


def _trial(module: Any, kind: type[Shared | Repeated], length: int) -> tuple[Tensor, Tensor]:
    """Last hidden states of answers to two prompts, grown together, some of which stop while those of a third prompt
    join; and read one by one."""
    device, body = next(module.parameters()).device, body_of(module)
    prompts = [random_ids(module, count, seed=seed) for seed, count in enumerate((length - 6, 3, 5))]
    tokens = torch.tensor([random_ids(module, 5, seed=3 + row) for row in range(9)], device=device)

    def read(*some: tuple[int, ...]) -> Memory:
        made = kind(module, padded([Encoded(ids, ()) for ids in some], pad=0, device=device))
        made.start(body)
        made.repeat(3)
        return made

    memory, texts = read(*prompts[:2]), [[*prompts[row // 3]] for row in range(9)]
    alive, ours, alone = torch.arange(6, device=device), [], []
    for time in range(5):
        if time in STAYING:
            rows = torch.tensor([row for row in STAYING[time] if row < len(alive)], device=device)
            alive = alive[rows]
            memory.keep(rows)
        if time == JOINING and memory.joinable:
            memory.join(read(prompts[2]))
            alive = torch.cat([alive, torch.arange(6, 9, device=device)])
        ours.append(memory.step(body, tokens[alive, time])[0][:, -1])
        for row in alive.tolist():
            texts[row].append(int(tokens[row, time]))
            text = padded([Encoded(tuple(texts[row]), ())], pad=0, device=device)
            alone.append(body(**_whole(text), use_cache=False)[0][:, -1])
    return torch.cat(ours), torch.cat(alone)
