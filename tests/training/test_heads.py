"""Heads that go on from where they stand, with more outputs than one and without."""

from __future__ import annotations

import pytest
import torch

import tiny
from operant.engine.reward import all_rewards, reward_scores
from operant.models.adapters import Lora, add_lora
from operant.models.heads import new_reward_head, score_layer
from operant.models.wide_heads import narrow, widen
from operant.objectives.graded import rating_loss
from operant.training.budgeted import Fit, Stage
from operant.training.heads import fit_on, fresh_head
from operant.training.pairs import pair_rows
from operant.training.reward import fit_head


def rows():
    return pair_rows(tiny.base().tokenizer, tiny.Blind(knobs=tiny.KNOBS).pairs("train"), max_length=96)


def test_it_is_the_head_that_pairs_start_from(tiny_bench):
    # one step at next to no learning rate leaves the head as it began
    trained = fit_head(
        tiny_bench(), tiny.base(), rows(), lambda won, lost, part: won - lost, Fit(learning_rate=1e-12, epochs=0.01),
        seed=3,
    )  # fmt: skip
    fresh = fresh_head(tiny.base(), seed=3)
    read = [row.chosen for row in rows()]
    assert all_rewards(fresh.module, tiny.base().tokenizer, read) == all_rewards(
        trained.module, tiny.base().tokenizer, read
    )


def test_a_second_fit_goes_on_from_the_first(tiny_bench):
    head, bench, read = fresh_head(tiny.base(), seed=0), tiny_bench(), [row.chosen for row in rows()]

    def loss(rewards, part):
        return rating_loss(rewards, torch.full_like(rewards, 2.0)) if part else rewards

    def fitted(name):
        settings, stage = Fit(learning_rate=1e-3, epochs=2), Stage(name=name, share=0.5)
        return fit_on(bench, head, read, list, loss, settings, stage=stage).losses

    first, second = fitted("first"), fitted("second")
    assert first[0] > 2 * second[0]  # it was nearer when the second began


def test_more_outputs_leave_the_reward_as_it_was_and_go_again():
    base = tiny.base()
    read = [row.chosen for row in rows()[:4]]
    for lora in (None, Lora(rank=2)):
        head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(0))
        before = all_rewards(head, base.tokenizer, read)
        widen(head, 3, rng=torch.Generator().manual_seed(1))
        if lora is not None:
            add_lora(head, lora, seed=0, scores=True)
        wide = reward_scores(head, base.tokenizer, read)
        assert wide.shape == (4, 3)
        assert wide[:, 0].tolist() == pytest.approx(before, abs=1e-6)
        narrow(head)
        assert all_rewards(head, base.tokenizer, read) == pytest.approx(before, abs=1e-6)
        assert {part.out_features for part in score_layer(head).modules() if hasattr(part, "out_features")} == {1}
