"""Preference pairs as rows of token ids, with their reference log-probabilities and what a pass over them costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from operant.data.cut import cut_ids, cut_pair
from operant.engine.logps import all_logps, answer_logps
from operant.engine.tokens import forward_cost
from operant.errors import OperantError
from operant.models.flops import backward_factor
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Answer, Pair, Policy, Prompt


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair as ids, with the reference model's log-probabilities of both answers (nats, 0 until computed)."""

    chosen: Encoded
    rejected: Encoded
    baseline: Encoded  # what is imitated: the chosen answer unless said otherwise
    margin: float | None = None
    chosen_reference: float = 0.0
    rejected_reference: float = 0.0


Read = Callable[[Any, Prompt], tuple[int, ...]]  # (tokenizer, prompt) -> what the model reads


def pair_rows(tokenizer: Any, pairs: Sequence[Pair], *, max_length: int, read: Read = encode_prompt) -> list[PairRow]:
    """Token ids of every pair that survives the cut to `max_length`; the checker counts the others beforehand."""
    rows = []
    for pair in pairs:
        prompt = read(tokenizer, pair.prompt)
        both = cut_pair(
            prompt, encode_answer(tokenizer, pair.chosen), encode_answer(tokenizer, pair.rejected), max_length
        )
        if both.dropped or both.identical:
            continue
        chosen, rejected = (Encoded(tuple(side.prompt), tuple(side.answer)) for side in both)
        baseline = chosen if pair.baseline is None else _cut(tokenizer, prompt, pair.baseline, max_length)
        if baseline.answer:
            rows.append(PairRow(chosen, rejected, baseline, pair.margin))
    if not rows:
        raise OperantError(
            f"none of the {len(pairs)} pairs fits max-length {max_length}; run `operant data check` on the file"
        )
    return rows


def _cut(tokenizer: Any, prompt: tuple[int, ...], answer: Answer, max_length: int) -> Encoded:
    kept = cut_ids(prompt, encode_answer(tokenizer, answer), max_length)
    return Encoded(tuple(kept.prompt), tuple(kept.answer))


def with_reference(rows: Sequence[PairRow], reference: Policy) -> list[PairRow]:
    """Each row with the reference's log-probability of both answers, computed once."""
    both = [answer for row in rows for answer in (row.chosen, row.rejected)]
    sums = [sum(logps) for logps in all_logps(reference.module, both, pad=reference.tokenizer.pad_token_id)]
    return [
        PairRow(row.chosen, row.rejected, row.baseline, row.margin, sums[2 * place], sums[2 * place + 1])
        for place, row in enumerate(rows)
    ]


class PairLogps(NamedTuple):
    """Per pair, nats: log-ratios to the reference, and the likelihood of the imitated answer."""

    chosen: Tensor  # [pairs] log pi(y_w|x) - log ref(y_w|x)
    rejected: Tensor  # [pairs]
    baseline: Tensor  # [pairs] log pi(y_0|x), summed over its tokens
    baseline_tokens: Tensor  # [pairs]


def pair_logps(module: Any, part: Sequence[PairRow], *, pad: int) -> PairLogps:
    """One forward pass over both answers of every pair, and over the imitated one where it is another."""
    apart = [row.baseline != row.chosen for row in part]
    logps, mask = answer_logps(module, pair_answers(part), pad=pad)
    sums, count, extra = logps.sum(1), len(part), 2 * len(part)
    places = []
    for place, other in enumerate(apart):
        places.append(extra if other else place)
        extra += other
    references = sums.new_tensor([[row.chosen_reference, row.rejected_reference] for row in part])
    return PairLogps(
        sums[:count] - references[:, 0], sums[count : 2 * count] - references[:, 1], sums[places], mask.sum(1)[places]
    )


def pass_flops(module: Any, batch: Sequence[Encoded]) -> float:
    """FLOPs of a forward and a backward pass over a batch, padded to its own longest prompt and answer."""
    return forward_cost(module, batch) * (1 + backward_factor(module))


def pair_answers(part: Sequence[PairRow]) -> list[Encoded]:
    """What one pass over a part computes: both answers, and the imitated one where it is another."""
    return sides(part) + [row.baseline for row in part if row.baseline != row.chosen]


def sides(part: Sequence[PairRow]) -> list[Encoded]:
    """Chosen answers, then rejected ones."""
    return [row.chosen for row in part] + [row.rejected for row in part]


def sides_cost(module: Any, part: Sequence[PairRow]) -> float:
    """What a step on both answers of a part costs, FLOPs."""
    return pass_flops(module, sides(part))


def pair_cost(module: Any, part: Sequence[PairRow]) -> float:
    """What a step on a part costs, FLOPs."""
    return pass_flops(module, pair_answers(part))


def preference_ceiling(module: Any, rows: Sequence[PairRow], *, epochs: float, batch_size: int = 8) -> float:
    """FLOPs of this many epochs of preference training, the reference's pass included."""
    groups = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return sum(pair_cost(module, group) for group in groups) * (epochs + 1 / 3)
