"""Preference pairs as rows of token ids, their reference log-probabilities, and fitting a policy on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from operant.data.cut import cut_ids, cut_pair
from operant.engine.logps import all_logps, answer_logps
from operant.engine.policy import LanguageModel
from operant.errors import OperantError
from operant.models.flops import forward_flops
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Answer, Bench, Pair, Policy
from operant.training.fit import Fitted, Schedule, fit


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair as ids, with the reference model's log-probabilities of both answers (nats, 0 until computed)."""

    chosen: Encoded
    rejected: Encoded
    baseline: Encoded  # what is imitated: the chosen answer unless said otherwise
    margin: float | None = None
    chosen_reference: float = 0.0
    rejected_reference: float = 0.0


def pair_rows(tokenizer: Any, pairs: Sequence[Pair], *, max_length: int) -> list[PairRow]:
    """Token ids of every pair that survives the cut to `max_length`; the checker counts the others beforehand."""
    rows = []
    for pair in pairs:
        prompt = encode_prompt(tokenizer, pair.prompt)
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
    answers = [row.chosen for row in part] + [row.rejected for row in part]
    apart = [row.baseline != row.chosen for row in part]
    answers += [row.baseline for row, other in zip(part, apart, strict=True) if other]
    logps, mask = answer_logps(module, answers, pad=pad)
    sums, count, extra = logps.sum(1), len(part), 2 * len(part)
    places = []
    for place, other in enumerate(apart):
        places.append(extra if other else place)
        extra += other
    references = sums.new_tensor([[row.chosen_reference, row.rejected_reference] for row in part])
    return PairLogps(
        sums[:count] - references[:, 0], sums[count : 2 * count] - references[:, 1], sums[places], mask.sum(1)[places]
    )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings that every method which trains a model shares."""

    learning_rate: float
    batch_size: int = 8
    accumulate: int = 1
    epochs: float | None = None  # at most this many; None: as many as the budget pays for
    points: int = 3


def planned_steps(bench: Bench, settings: Fit, *, items: int, flops_per_item: float) -> int:
    """As many steps as the budget pays for, and no more than `epochs`."""
    size = min(settings.batch_size, items)
    steps = bench.budget.plan(flops_per_step=flops_per_item * size)
    if settings.epochs is not None:
        steps = min(steps, max(1, round(settings.epochs * items / size)))
    return steps


def train_flops(module: Any, batches: Sequence[Sequence[Encoded]]) -> float:
    """FLOPs of a forward and a backward pass over each batch, padded to its own longest prompt and answer."""
    total = 0.0
    for batch in batches:
        before, after = max(len(row.prompt) for row in batch), max(len(row.answer) for row in batch)
        total += 3 * forward_flops(
            module, rows=len(batch), queries=before + after, keys=before + after, head_rows=len(batch) * (after + 1)
        )
    return total


def pair_flops(module: Any, rows: Sequence[PairRow], *, batch_size: int) -> float:
    """Training FLOPs of one pair, averaged over an epoch in batches of this size."""
    groups = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    batches = []
    for group in groups:
        apart = [row.baseline for row in group if row.baseline != row.chosen]
        batches.append([row.chosen for row in group] + [row.rejected for row in group] + apart)
    return train_flops(module, batches) / len(rows)


def preference_ceiling(module: Any, rows: Sequence[PairRow], *, epochs: float) -> float:
    """FLOPs of this many epochs of preference training in batches of 8, the reference's pass included."""
    return len(rows) * pair_flops(module, rows, batch_size=8) * (epochs + 1 / 3)


def fit_policy(
    bench: Bench, items: Sequence[Any], loss: Callable[[Any, Sequence[Any], Sequence[Any]], Tensor],
    settings: Fit, *, flops_per_item: float,
) -> tuple[LanguageModel, Fitted]:  # fmt: skip
    """A trained copy of the base. `loss(module, part, whole)` gives one value per item."""
    policy = bench.base.snapshot()
    schedule = Schedule(
        steps=planned_steps(bench, settings, items=len(items), flops_per_item=flops_per_item),
        learning_rate=settings.learning_rate, batch_size=settings.batch_size, accumulate=settings.accumulate,
        points=settings.points, save_every=50, seed=bench.seed,
    )  # fmt: skip
    fitted = fit(
        policy.module, items, lambda part, whole: loss(policy.module, part, whole), schedule, bench.dir / "fit"
    )
    trained = LanguageModel(policy.module, policy.tokenizer, checkpoints=fitted.checkpoints)
    return trained, fitted
