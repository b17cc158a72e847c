"""What each token of an answer is worth, by a model's own word: is it likelier where a better answer was asked for?

The same ids are read behind two prompts, one that asks for a better answer and one that asks for a worse one; or by two
models, one that writes what was chosen and one that writes what was rejected. Nobody rates a token, and nothing is
rescaled: behind a revision prompt the answer stands once already, so copying makes both probabilities large and the
rewards small.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from operant.disk import answer_seed
from operant.engine.logps import AnswerLogps, all_logps, item_values
from operant.engine.policy import LanguageModel
from operant.engine.reference import kept_logps
from operant.errors import OperantError
from operant.models.text import Encoded, encode_prompt
from operant.objectives.likelihood import answer_nll_batch_mean
from operant.prompting.edits import with_text
from operant.schema import Answer, Bench, Pair, Prompt
from operant.training.budgeted import PolicyFit, Stage, fit_policy
from operant.training.pairs import PairRow, pair_rows, pass_flops

BETTER = "more helpful, more correct, more coherent and more concise"
WORSE = "less helpful, less correct, less coherent and less concise"
COLUMNS = ("token_rewards_chosen", "token_rewards_rejected")
Rewards = tuple[float, ...]  # one for each token of an answer, above -1/2 and below 1/2


class Rated(NamedTuple):
    """A pair as ids, and what each token of its two answers is worth."""

    row: PairRow
    chosen: Rewards
    rejected: Rewards


def revision(prompt: Prompt, answer: Answer, wanted: str) -> Prompt:
    """A prompt that asks for another version of an answer; of a conversation, the user's last message is changed."""
    return with_text(
        prompt,
        lambda question: (
            f"Below are a request and a response to it. Rewrite the response so that it is {wanted}. Write the new "
            f"response and nothing else.\n\nRequest:\n{question}\n\nResponse:\n{answer.value}"
        ),
    )


def token_rewards(better: Sequence[float], worse: Sequence[float]) -> Rewards:
    """sigmoid(log p_better - log p_worse) - 1/2, which is p_better / (p_better + p_worse) - 1/2.

    Args: log-probabilities of an answer's tokens behind either prompt, nats.
    Source: Zhou et al. 2024, T-REG, arXiv:2412.02685, the token-level reward of contrastive prompting.
    """
    gaps = torch.tensor(better, dtype=torch.float64) - torch.tensor(worse, dtype=torch.float64)
    return tuple((torch.tanh(gaps / 2) / 2).tolist())  # the same, and exactly odd


def paired_rows(tokenizer: Any, pairs: Sequence[Pair], *, max_length: int) -> list[tuple[Pair, PairRow]]:
    """The pairs that survive the cut, each beside its row."""
    found = []
    for pair in (replace(pair, baseline=None) for pair in pairs):
        with suppress(OperantError):
            found.append((pair, pair_rows(tokenizer, [pair], max_length=max_length)[0]))
    if not found:
        pair_rows(tokenizer, pairs, max_length=max_length)  # which says what is wrong
    return found


def by_revision(base: Any, kept: Sequence[tuple[Pair, PairRow]]) -> list[Rated]:
    """The base is asked to make each answer better, and worse; both answers of a pair by the same words."""

    asked = [
        (pair.prompt, answer, row.answer)
        for pair, rows in kept
        for answer, row in ((pair.chosen, rows.chosen), (pair.rejected, rows.rejected))
    ]

    def logps(wanted: str) -> list[tuple[float, ...]]:
        prompts = (encode_prompt(base.tokenizer, revision(prompt, answer, wanted)) for prompt, answer, _ in asked)
        rows = [Encoded(prompt, ids) for prompt, (_, _, ids) in zip(prompts, asked, strict=True)]
        return kept_logps(base.module, rows, pad=base.tokenizer.pad_token_id)

    return _rated(kept, logps(BETTER), logps(WORSE))


def by_imitation(bench: Bench, kept: Sequence[tuple[Pair, PairRow]], settings: PolicyFit, share: float) -> list[Rated]:
    """Two copies of the base learn to write: one what was chosen, the other what was rejected.

    For models that follow no instructions. Each costs half the share of the budget.
    """
    chosen = imitator(bench, [rows.chosen for _, rows in kept], settings, Stage(name="better", share=share / 2))
    left = share / (2 - share)  # half of the whole, as a share of what the first has left
    rejected = imitator(bench, [rows.rejected for _, rows in kept], settings, Stage(name="worse", share=left))
    rows = [row for _, both in kept for row in (both.chosen, both.rejected)]
    pad = bench.base.tokenizer.pad_token_id
    return _rated(kept, *(all_logps(model.module, rows, pad=pad) for model in (chosen, rejected)))


def imitator(bench: Bench, answers: Sequence[Encoded], settings: PolicyFit, stage: Stage) -> LanguageModel:
    """A copy of the base, tuned on answers."""
    pad = bench.base.tokenizer.pad_token_id

    def loss(module: Any, part: Sequence[Encoded], whole: Sequence[Encoded]) -> Tensor:
        tokens, count = sum(len(row.answer) for row in whole), len(whole)

        def of(_: Sequence[int], found: AnswerLogps) -> Tensor:
            return answer_nll_batch_mean(found.logps, found.mask, batch_tokens=tokens, batch_examples=count)

        return item_values(module, [[row] for row in part], of, pad=pad)

    return fit_policy(bench, answers, loss, settings, pass_flops, stage=stage)


Logps = Sequence[Sequence[float]]  # of the tokens of chosen and rejected answers, in turn


def _rated(kept: Sequence[tuple[Pair, PairRow]], better: Logps, worse: Logps) -> list[Rated]:
    """Pairs beside the rewards of their answers."""
    worth = [token_rewards(*two) for two in zip(better, worse, strict=True)]
    return [Rated(rows, *two) for (_, rows), two in zip(kept, zip(worth[::2], worth[1::2], strict=True), strict=True)]


def are_given(pairs: Sequence[Pair]) -> bool:
    """Whether the feedback brings token rewards of its own, in two columns."""
    return all(name in pair.prompt.columns for pair in pairs for name in COLUMNS)


def by_feedback(kept: Sequence[tuple[Pair, PairRow]]) -> list[Rated]:
    """Rewards that the feedback brings: numbers, or text with blanks between them, one for each token."""
    return [
        Rated(rows, *(_given(pair, name, row) for name, row in zip(COLUMNS, (rows.chosen, rows.rejected), strict=True)))
        for pair, rows in kept
    ]


def _given(pair: Pair, name: str, row: Encoded) -> Rewards:
    value = pair.prompt.columns[name]
    numbers = tuple(map(float, value.split() if isinstance(value, str) else value))
    if len(numbers) != len(row.answer):
        raise OperantError(
            f"{name} of prompt {pair.prompt.id!r} has {len(numbers)} numbers, and the answer has {len(row.answer)} "
            "tokens, its end included; give one for each token of this model's tokenizer"
        )
    return numbers


def shuffled(rated: Sequence[Rated], *, seed: int) -> list[Rated]:
    """The same numbers on other tokens of the same answer: what a reward is worth that says nothing."""

    def mixed(place: int, side: str, rewards: Rewards) -> Rewards:
        return tuple(Random(answer_seed(seed, "shuffled", place, side)).sample(rewards, len(rewards)))

    return [
        Rated(one.row, mixed(place, "chosen", one.chosen), mixed(place, "rejected", one.rejected))
        for place, one in enumerate(rated)
    ]
