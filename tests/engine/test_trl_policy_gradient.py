"""One update on sampled answers, against TRL's GRPO and RLOO trainers: the loss and every gradient.

The trainers compute on padded rows; ours share their prompt. Rewards, old and reference log-probabilities are random.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, tensor

from engine.batches import Step, assert_same_gradients
from models.architectures import EOS, PAD, random_model, tiny
from operant.engine.logps import AnswerLogps, item_values
from operant.models.text import Encoded
from operant.objectives import (
    answer_mean,
    batch_token_mean,
    group_relative,
    leave_one_out,
    length_mean,
    ppo_loss,
    rloo_loss,
    token_k3,
    token_ratios,
)
from trl_kit import MARKS, settings

pytestmark = MARKS
# Rotary positions alone: TRL tells the model no positions, and GPT-2's would begin at the padding on the left.
NAMES = ("llama", "qwen3", "Gemma2")
GROUPS, ANSWERS, LONGEST = 2, 3, 9


class Batch(NamedTuple):
    """Answers of 1 to 9 tokens to prompts of different length, group by group."""

    rows: list[Encoded]
    old: list[Tensor]  # log-probabilities as sampled, nats
    reference: list[Tensor]
    rewards: Tensor  # [groups, answers]

    @classmethod
    def of(cls, seed: int) -> Batch:
        rng, noise = Random(seed), torch.Generator().manual_seed(seed)

        def ids(count: int) -> tuple[int, ...]:
            return tuple(rng.randrange(4, 24) for _ in range(count))

        prompts = [ids(count) for count in (7, 2)]
        rows = [
            Encoded(prompt, ids(rng.randint(0, LONGEST - 1)) + (EOS,)) for prompt in prompts for _ in range(ANSWERS)
        ]
        rewards = torch.rand(GROUPS, ANSWERS, generator=noise)
        # around log 1/24, so that ratios fall to both sides of the clip
        old, reference = ([-3 - torch.rand(len(row.answer), generator=noise) for row in rows] for _ in range(2))
        return cls(rows, old, reference, rewards)

    def padded(self) -> dict[str, Tensor]:
        """As the trainers take it: prompts padded on the left, answers on the right."""
        pad = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
        ones = [torch.ones(len(row.answer), dtype=torch.long) for row in self.rows]
        prompts = [tensor(row.prompt) for row in self.rows]
        return {
            "prompt_ids": pad(prompts, padding_value=PAD, padding_side="left"),
            "prompt_mask": pad([torch.ones_like(one) for one in prompts], padding_side="left"),
            "completion_ids": pad([tensor(row.answer) for row in self.rows], padding_value=PAD),
            "completion_mask": pad(ones),
            "old_per_token_logps": pad(self.old),
            "ref_per_token_logps": pad(self.reference),
            "old_logps": torch.stack([one.sum() for one in self.old]),
            "num_items_in_batch": tensor(sum(map(len, self.old))),
        }


def table(values: Sequence[Tensor], like: Tensor) -> Tensor:
    wide = torch.zeros_like(like)
    for place, one in enumerate(values):
        wide[place, : len(one)] = one
    return wide


def ours(module: Any, batch: Batch, loss: Callable[..., Tensor]) -> Callable[[], Tensor]:
    """The mean over answers; `loss(logps, old, reference, mask, places)` gives one value each."""

    def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
        old, reference = (
            table([many[place] for place in places], found.logps) for many in (batch.old, batch.reference)
        )
        return loss(found.logps, old, reference, found.mask, list(places))

    return lambda: item_values(module, [[row] for row in batch.rows], of, pad=PAD).mean()


def theirs(trainer: Any, batch: Batch, advantages: Tensor) -> Callable[[], Tensor]:
    trainer.aux_loss_enabled = False
    trainer.model.eval()
    return lambda: trainer._compute_loss(trainer.model, {**batch.padded(), "advantages": advantages.flatten()})


def trainer(kind: str, module: Any, directory: Any, **more: Any) -> Any:
    import trl
    from datasets import Dataset

    args = getattr(trl, f"{kind}Config")(
        **settings(directory, GROUPS * ANSWERS), num_generations=ANSWERS, max_completion_length=LONGEST, epsilon=0.2,
        epsilon_high=0.3, temperature=1.0, **more,
    )  # fmt: skip
    known = copy.deepcopy(tiny("llama").tokenizer)
    return getattr(trl, f"{kind}Trainer")(
        module, reward_funcs=lambda completions, **_: [0.0] * len(completions), args=args, processing_class=known,
        train_dataset=Dataset.from_list([{"prompt": "a"}] * GROUPS),
    )  # fmt: skip


BATCH = Batch.of(3)
TOKENS = sum(map(len, BATCH.old))
REDUCTIONS = {  # TRL's name of each
    "grpo": answer_mean,
    "bnpo": partial(batch_token_mean, batch_tokens=TOKENS, batch_answers=len(BATCH.rows)),
    "dapo": partial(batch_token_mean, batch_tokens=TOKENS, batch_answers=len(BATCH.rows)),
    "dr_grpo": partial(length_mean, length=LONGEST),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("beta, weighed", [(0.0, False), (0.3, False), (0.3, True)])
def test_grpo_is_trl_s(name, kind, beta, weighed, tmp_path):
    module, reduce = copy.deepcopy(random_model(name)), REDUCTIONS[kind]
    worth = group_relative(BATCH.rewards, scaled=True)

    def loss(logps, old, reference, mask, places):
        each = worth.flatten()[places].unsqueeze(1)
        clipped = ppo_loss(logps, old, mask, each, low=0.2, high=0.3, reduce=reduce)
        kl = token_k3(logps, reference, mask) * (token_ratios(logps, old, mask) if weighed else 1.0)
        return clipped + beta * reduce(kl, mask)

    made = trainer("GRPO", module, tmp_path, loss_type=kind, beta=0.0, use_bias_correction_kl=weighed)
    made.beta = beta  # given above it would load a reference from the hub; ours are in the batch
    got, want = Step.of(module, ours(module, BATCH, loss)), Step.of(made.model, theirs(made, BATCH, worth))
    assert got.loss == pytest.approx(want.loss, rel=1e-4)
    assert_same_gradients(got, want)


@pytest.mark.parametrize("name", NAMES)
def test_rloo_is_trl_s(name, tmp_path):
    module, worth = copy.deepcopy(random_model(name)), leave_one_out(BATCH.rewards)

    def loss(logps, old, _, mask, places):
        return rloo_loss(logps, old, mask, worth.flatten()[places], low=0.2, high=0.3)

    made = trainer("RLOO", module, tmp_path, beta=0.0)
    got, want = Step.of(module, ours(module, BATCH, loss)), Step.of(made.model, theirs(made, BATCH, worth))
    assert got.loss == pytest.approx(want.loss, rel=1e-4)
    assert_same_gradients(got, want)


def test_advantages_are_trl_s():
    """By TRL's own lines, in `_generate_and_score_completions`: mean and sample deviation of each group."""
    flat = BATCH.rewards.flatten()
    means, spreads = (one.repeat_interleave(ANSWERS) for one in (BATCH.rewards.mean(1), BATCH.rewards.std(1)))
    torch.testing.assert_close(group_relative(BATCH.rewards, scaled=True).flatten(), (flat - means) / (spreads + 1e-4))
    others = (BATCH.rewards.sum(1).repeat_interleave(ANSWERS) - flat) / (ANSWERS - 1)
    torch.testing.assert_close(leave_one_out(BATCH.rewards).flatten(), flat - others)


def test_the_batch_reaches_both_clips():
    """Else the agreement would say nothing of them."""
    module = copy.deepcopy(random_model("llama"))
    seen = []

    def loss(logps, old, _, mask, places):
        seen.append((logps - old)[mask].exp().detach())
        return logps.sum(1)

    ours(module, BATCH, loss)()
    ratio = torch.cat(seen)
    assert (ratio > 1.3).any() and (ratio < 0.8).any() and ((ratio > 0.8) & (ratio < 1.3)).any()
