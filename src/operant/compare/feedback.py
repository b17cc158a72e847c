"""What feedback a task offers, and what ceiling it sets where the user names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from operant.compare.asking import asking_flops
from operant.compare.budget import Ceiling
from operant.compare.options import Options
from operant.conditioning.text import conditioned_rows
from operant.errors import NotApplicable, offered
from operant.models.text import Encoded, encode
from operant.training.pairs import pair_rows, pass_flops, preference_ceiling

EPOCHS = 3  # of dpo on the train split: the default ceiling
BATCH = 8


def has_weights(base: Any) -> bool:
    """An endpoint answers, but has no weights to train or read."""
    try:
        return base.module is not None
    except NotApplicable:
        return False


def ceiling_of(task: Any, base: Any, options: Options) -> Ceiling:
    """What the task allows; else FLOPs of 3 epochs of dpo over the pairs, of sft over demonstrations or documents.

    Where there are questions alone, of 3 epochs of answers of the policy's own.
    """
    labels = label_ceiling(task)
    if task.allowance:
        return allowed(task.allowance, labels, options)
    if not has_weights(base):
        return Ceiling(options.budget or 0.0, labels)
    if options.budget is not None:
        return Ceiling(options.budget, labels)
    pairs = offered(lambda: task.pairs("train"))
    if pairs:
        rows = pair_rows(base.tokenizer, pairs, max_length=options.max_length)
        return Ceiling(preference_ceiling(base.module, rows, epochs=EPOCHS), labels)
    texts = text_rows(task, base, options)
    if not texts:
        return Ceiling(EPOCHS * asking_flops(task, base, options), labels)
    groups = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    return Ceiling(EPOCHS * sum(pass_flops(base.module, group) for group in groups), labels)


def allowed(allowance: Mapping[str, float], labels: float, options: Options) -> Ceiling:
    """The ceilings that a task names; --budget replaces the first of them."""
    limits = dict(allowance)
    if options.budget is not None:
        limits[next(iter(limits))] = options.budget
    return Ceiling(labels=labels, **limits)


def text_rows(task: Any, base: Any, options: Options) -> list[Encoded]:
    """Demonstrations as rows of ids, or documents where there are none."""
    judged = offered(lambda: task.judged("train"))
    if judged:
        return encode(base.tokenizer, [one.prompt for one in judged], [one.answer for one in judged])
    documents = offered(lambda: task.documents("train"))
    rows = conditioned_rows(base.tokenizer, documents, max_length=options.max_length)
    return [row.encoded for row in rows if row is not None]


def label_ceiling(task: Any) -> float:
    """Everything that the feedback says, once, and the pairs of every attribute."""
    pairs = len(offered(lambda: task.pairs("train"))) * (1 + len(task.attributes))
    judged = len(offered(lambda: task.judged("train")))
    scores = sum(len(one.scores or ()) for one in offered(lambda: task.documents("train", scored=True)))
    return float(pairs + judged + scores)
