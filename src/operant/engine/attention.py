"""Attention over a packed row: each answer sees its prompt and itself.

Registered with transformers under PACKED. A model runs with it inside `attending`, is given `documents` as an argument
of its forward pass, and hands them down to its layers; where they do not arrive the pass fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import dropout, scaled_dot_product_attention
from transformers import AttentionInterface

from operant.engine.layout import Document
from operant.errors import OperantError

PACKED = "operant_packed"


class Manner(NamedTuple):
    """How a layer attends: what transformers' models pass to an attention function."""

    scaling: float | None = None  # of scores; None: 1 / sqrt(width)
    dropout: float = 0.0
    sliding_window: int | None = None  # positions that a query sees, its own included
    softcap: float | None = None  # c bounds scores by c tanh(score / c)
    s_aux: Tensor | None = None  # [heads] scores in the softmax that carry no value: attention sinks

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Manner:
        return cls(**{name: told[name] for name in cls._fields if told.get(name) is not None})

    def weights(self, scores: Tensor, bias: Tensor) -> Tensor:
        """[rows, heads, queries, keys] softmax in float32 of scaled scores, which are bounded where there is a cap.

        `bias` is -inf where a query does not look, else 0. The scores may be overwritten.
        """
        if self.softcap is not None:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        scores = scores.float().add_(bias)
        if self.s_aux is None:
            return scores.softmax(-1)
        sinks = self.s_aux.float().view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1]


def as_bias(mask: Tensor) -> Tensor:
    """0 where a mask is true, else -inf."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, -torch.inf)


@contextmanager
def attending(module: Any, how: str = PACKED) -> Iterator[None]:
    """Every layer of `module` attends by this function until the block ends."""
    before = module.config._attn_implementation
    module.config._attn_implementation = how
    try:
        yield
    finally:
        module.config._attn_implementation = before


def packed_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any = None, **told: Any
) -> tuple[Tensor, None]:
    """query [1, heads, tokens, width], key and value [1, fewer heads, tokens, width] -> [1, tokens, heads, width]."""
    documents = told.get("documents")
    if documents is None:
        raise OperantError(f"{type(module).__name__} was not told the documents of the packed row")
    if query.device.type != "cpu":
        return _gathered(query, key, value, documents, Manner.of(told)), None
    with torch.autocast("cpu", enabled=False):  # its kernel for bfloat16 is slower than that for float32
        wide = query.float(), key.float(), value.float()
        return _gathered(*wide, documents, Manner.of(told)).to(value.dtype), None


AttentionInterface.register(PACKED, packed_attention)


def _gathered(query: Tensor, key: Tensor, value: Tensor, documents: Sequence[Document], manner: Manner) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    found = [_in_line(_attend(*piece, manner)) for piece in _pieces(query, key, value, documents)]
    return torch.cat(found, 2).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, manner: Manner) -> Tensor:
    """[rows, heads, queries, width] what the last `queries` of the keys' positions gather from them."""
    rows, columns = query.shape[2], key.shape[2]
    scale = query.shape[-1] ** -0.5 if manner.scaling is None else manner.scaling
    window = manner.sliding_window if (manner.sliding_window or columns) < columns else None
    if manner.softcap is None and manner.s_aux is None:
        square = rows == columns and window is None
        mask = None if square else _mask(rows, columns, window, query.device)
        kept = manner.dropout
        return scaled_dot_product_attention(query, key, value, mask, dropout_p=kept, is_causal=square, scale=scale)
    weights = manner.weights(query @ key.mT * scale, as_bias(_causal(rows, columns, window, query.device)))
    return dropout(weights.to(value.dtype), manner.dropout) @ value


def _pieces(
    query: Tensor, key: Tensor, value: Tensor, documents: Sequence[Document]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(queries, keys, values) of everything that attends at once: answers of one length beside each other as rows.

    Tensors are split, not sliced: the gradient of a split is one concatenation.
    """
    asked, stored = _lengths(tuple(documents))
    queries, keys, values = iter(query.split(asked, 2)), iter(key.split(stored, 2)), iter(value.split(stored, 2))
    for one in documents:
        prompt = next(keys), next(values)
        if not one.answers:
            yield next(queries), *prompt
        for count, _ in _alike(one.answers):
            before = (part.expand(count, -1, -1, -1) for part in prompt)
            own = (_rows(next(line), count) for line in (keys, values))
            yield _rows(next(queries), count), *(torch.cat(two, 2) for two in zip(before, own, strict=True))


def _alike(answers: Sequence[int]) -> list[tuple[int, int]]:
    """(how many, their length) of the first answer, which goes with the prompt, and of runs of equally long ones."""
    runs = [(1, answers[0])] if answers else []
    for length, run in groupby(answers[1:]):
        runs.append((len(list(run)), length))
    return runs


def _rows(line: Tensor, count: int) -> Tensor:
    """[1, heads, count * tokens, width] as [count, heads, tokens, width]."""
    if count == 1:
        return line
    return line.squeeze(0).unflatten(1, (count, -1)).transpose(0, 1)


def _in_line(rows: Tensor) -> Tensor:
    """The inverse of `_rows`."""
    return rows if len(rows) == 1 else rows.transpose(0, 1).flatten(1, 2).unsqueeze(0)


@lru_cache(maxsize=64)
def _lengths(documents: tuple[Document, ...]) -> tuple[list[int], list[int]]:
    """Of the pieces of the queries (a prompt goes with its first answer), and of those of keys and values."""
    asked, stored = [], []
    for one in documents:
        runs = [count * length for count, length in _alike(one.answers)]
        first, *others = runs or (0,)
        asked += [one.prompt + first, *others]
        stored += [one.prompt, *runs]
    return asked, stored


def _mask(rows: int, columns: int, window: int | None, device: torch.device) -> Tensor:
    """As the fused kernels take it: flash attention on CUDA knows this form of a mask and no other."""
    if device.type == "cuda" and window is None:
        form: Tensor = causal_lower_right(rows, columns)
        return form
    return _causal(rows, columns, window, device)


@lru_cache(maxsize=256)
def _causal(rows: int, columns: int, window: int | None, device: torch.device) -> Tensor:
    """[rows, columns] True where a query may look; the last query stands at the last key."""
    seen = torch.ones(rows, columns, dtype=torch.bool, device=device).tril(columns - rows)
    return seen if window is None else seen.triu(columns - rows - window + 1)
