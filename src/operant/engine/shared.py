"""Answers that grow behind one prompt: its keys and values stand in memory once, however many answers there are."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import AttentionInterface, Cache, DynamicCache

from operant.engine.attention import Manner, as_bias
from operant.errors import OperantError

SHARED = "operant_shared"
ROOM = 64  # tokens of an answer that memory is set aside for at a time


class Kept(NamedTuple):
    """Keys and values of one layer, [rows, heads, tokens, width] each."""

    keys: Tensor
    values: Tensor


class SharedCache(Cache):
    """Keys and values of `prompts` rows of prompts, and behind them those of the answers, one row each.

    Answers stand in the order of their prompts; any of them may leave, and others join. All tokens of one step stand
    in one column, so an answer that joined later begins further to the right.
    """

    def __init__(self, prompts: DynamicCache, attend: Tensor):
        super().__init__(layers=[])
        layers: list[Any] = prompts.layers
        self.prompts = [Kept(layer.keys, layer.values) for layer in layers]
        self.attend = attend.bool()  # [prompts, length] where a prompt is real; it ends in the last column
        self.answers: list[Kept] = []
        self.time = 0  # columns of answers so far
        self.born = torch.zeros(
            len(attend), dtype=torch.long, device=attend.device
        )  # [answers] column that each begins in
        self._place(torch.arange(len(attend), device=attend.device))

    def _place(self, owners: Tensor) -> None:
        """[answers] whose prompt each of them has; their places in a table [prompts, most answers of one]."""
        self.owners = owners
        counts = torch.bincount(owners, minlength=len(self.attend))
        self.most = int(counts.max()) if len(owners) else 0
        self.even = len(owners) == self.most * len(self.attend)
        self.slots = torch.arange(len(owners), device=owners.device) - (counts.cumsum(0) - counts)[owners]
        self._biases: dict[int | None, Tensor] = {}

    def repeat(self, copies: int) -> None:
        """Every answer `copies` times, side by side."""
        self._place(self.owners.repeat_interleave(copies))
        self.born = self.born.repeat_interleave(copies)
        self.answers = [Kept(*(one.repeat_interleave(copies, 0) for one in layer)) for layer in self.answers]

    def keep(self, rows: Tensor) -> None:
        """Only these answers stay, in their order; a prompt without an answer goes, and a column of nobody's."""
        used, owners = self.owners[rows].unique(return_inverse=True)
        if len(used) < len(self.attend):
            self.attend = self.attend[used]
            empty = empty_columns(self.attend)
            self.attend = self.attend[:, empty:]
            self.prompts = [Kept(*(one.index_select(0, used)[:, :, empty:] for one in layer)) for layer in self.prompts]
        self._place(owners)
        born = self.born[rows]
        past = int(born.min())
        self.born, self.time = born - past, self.time - past
        self.answers = [Kept(*(one.index_select(0, rows)[:, :, past:] for one in layer)) for layer in self.answers]

    def join(self, other: SharedCache) -> None:
        """The prompts and answers of another, none of which has a token yet, behind these."""
        if other.time:
            raise OperantError(
                f"answers of {other.time} tokens cannot join others; expected prompts that were just read"
            )
        owners = torch.cat([self.owners, other.owners + len(self.attend)])
        self.attend = behind(self.attend, other.attend, dim=1)
        self._place(owners)
        self.prompts = [
            Kept(*(behind(one, more, dim=2) for one, more in zip(own, theirs, strict=True)))
            for own, theirs in zip(self.prompts, other.prompts, strict=True)
        ]
        self.born = torch.cat([self.born, other.born + self.time])
        room = len(other.owners), -1, -1, -1
        self.answers = [Kept(*(torch.cat([one, one.new_zeros(1, *one.shape[1:]).expand(room)]) for one in layer))
                        for layer in self.answers]  # fmt: skip

    def twin(self) -> SharedCache:
        """Another with the same prompts, and with answers of its own."""
        other = copy.copy(self)
        other.answers = [Kept(layer.keys.clone(), layer.values.clone()) for layer in self.answers]
        return other

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """One column more of the answers. Returns the layer's keys and values of the answers alone."""
        if layer_idx == len(self.answers):
            self.answers.append(Kept(_roomy(key_states), _roomy(value_states)))
        layer = self.answers[layer_idx]
        if layer.keys.shape[2] == self.time:
            layer = self.answers[layer_idx] = Kept(*(torch.cat([one, _roomy(one)], 2) for one in layer))
        layer.keys[:, :, self.time] = key_states[:, :, 0]
        layer.values[:, :, self.time] = value_states[:, :, 0]
        return layer.keys[:, :, : self.time + 1], layer.values[:, :, : self.time + 1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens of the longest prompt and of an answer, which models count positions by where they are not told."""
        assert layer_idx >= 0
        return self.attend.shape[1] + self.time

    def spread(self, table: Tensor) -> Tensor:
        """[answers, heads, ...] as [prompts, heads, most answers, ...]; what has no answer is 0."""
        if self.even:
            return table.unflatten(0, (-1, self.most)).transpose(1, 2)
        wide = table.new_zeros(len(self.attend), self.most, *table.shape[1:])
        wide[self.owners, self.slots] = table
        return wide.transpose(1, 2)

    def collect(self, wide: Tensor) -> Tensor:
        """The inverse of `spread`."""
        back = wide.transpose(1, 2)
        return back.flatten(0, 1) if self.even else back[self.owners, self.slots]

    def beside(self, own: Tensor) -> Tensor:
        """[answers, heads, ...] as scores stand: [prompts, heads, most answers, ...] where all prompts have as many.

        Else [answers, heads, 1, ...], so that nothing is computed for answers that are not there.
        """
        return self.spread(own) if self.even else own.unsqueeze(2)

    def alone(self, scores: Tensor) -> Tensor:
        """The inverse of `beside`."""
        return self.collect(scores) if self.even else scores.squeeze(2)

    def advance(self) -> None:
        """Every layer has its column of this step; the next one is another."""
        self.time += 1
        self._biases = {}

    def bias(self, window: int | None) -> Tensor:
        """[..., prompt length + tokens so far] beside scores: 0 where an answer's last token looks, else -inf."""
        if window not in self._biases:
            self._biases[window] = self.beside(as_bias(self._seen(window)).unsqueeze(1))
        return self._biases[window]

    def _seen(self, window: int | None) -> Tensor:
        """[answers, prompt length + tokens so far] what the last token of each answer may look at."""
        length, columns = self.attend.shape[1], torch.arange(self.time + 1, device=self.born.device)
        mask = torch.cat([self.attend[self.owners], columns >= self.born.unsqueeze(1)], 1)
        if window is not None:
            after = (length + self.time - self.born).unsqueeze(1) - torch.arange(length, device=self.born.device)
            mask &= torch.cat([after, (self.time - columns).expand(len(self.born), -1)], 1) < window
        return mask


def behind(above: Tensor, below: Tensor, *, dim: int) -> Tensor:
    """The rows of both; the shorter along `dim` is padded with zeros in front."""
    length = max(above.shape[dim], below.shape[dim])
    after = 2 * (above.dim() - 1 - dim)
    return torch.cat([pad(one, (0,) * after + (length - one.shape[dim], 0)) for one in (above, below)])


def empty_columns(attend: Tensor) -> int:
    """How many columns on the left are padding in every row of [rows, length]."""
    return int((attend != 0).any(0).int().argmax())


def _roomy(states: Tensor) -> Tensor:
    return states.new_empty(*states.shape[:2], ROOM, states.shape[3])


def shared_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any = None, **told: Any
) -> tuple[Tensor, None]:
    """query [answers, heads, 1, width]; key and value from `SharedCache.update` -> [answers, 1, heads, width]."""
    cache: SharedCache | None = told.get("shared")
    if cache is None:
        raise OperantError(f"{type(module).__name__} was not told the cache that its answers share")
    manner, prompt = Manner.of(told), cache.prompts[module.layer_idx]
    rows, heads, _, width = query.shape
    few, length = key.shape[1], prompt.keys.shape[2]  # heads of keys, each of which several queries ask
    asked = query.squeeze(2) * (width**-0.5 if manner.scaling is None else manner.scaling)
    wide = cache.spread(asked)  # [prompts, heads, answers, width]
    of_prompt = wide.unflatten(1, (few, -1)).flatten(2, 3) @ prompt.keys.mT
    of_answer = (asked.unflatten(1, (few, -1)) @ key.mT).flatten(1, 2)
    before = of_prompt.view(*wide.shape[:3], length)
    before = before if cache.even else cache.collect(before).unsqueeze(2)
    scores = torch.cat([before, cache.beside(of_answer)], -1)
    weights = manner.weights(scores, cache.bias(manner.sliding_window)).to(value.dtype)
    looked = weights[..., :length] if cache.even else cache.spread(weights[..., :length].squeeze(2))
    gathered = looked.unflatten(1, (few, -1)).flatten(2, 3) @ prompt.values
    own = cache.alone(weights[..., length:]).unflatten(1, (few, -1)) @ value
    found = cache.collect(gathered.view(*wide.shape[:3], -1)) + own.flatten(1, 2)
    return found.view(rows, 1, heads, -1), None


AttentionInterface.register(SHARED, shared_attention)
