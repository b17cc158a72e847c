"""On random batches every architecture gives the numbers of a plain padded forward pass, and every gradient of it."""

import copy
from itertools import chain
from math import dist
from random import Random

import pytest
import torch
from torch import tensor
from torch.nn.functional import logsigmoid

from engine.batches import EVERY, Step, assert_same_gradients, cached_logps, padded_logps, random_pairs, rows_of
from models.architectures import EOS, PAD, random_model
from operant.engine.logps import all_logps, answer_logps
from operant.models.text import Encoded
from operant.objectives import rpo_loss
from operant.training.pairs import PairRow, pairwise

# Error of log-probabilities in bfloat16, in errors of a plain pass: which of two roundings is nearer hangs on the rows.
ROUNDING = 1.2


def flat(logps) -> list[float]:
    return list(chain.from_iterable(logps))


@torch.no_grad()
def plain(module, rows, *, left: bool) -> list[float]:
    return flat(one.tolist() for one in padded_logps(module, rows, left=left))


def test_the_batches_hold_every_odd_case():
    drawn = [random_pairs(seed) for seed in range(4)]
    rows = [row for pairs in drawn for row in rows_of(pairs)]
    assert {1, 2} < {len(row.prompt) for row in rows} and max(len(row.prompt) for row in rows) > 9  # past the windows
    assert {0, 1} < {len(row.answer) for row in rows}
    assert 0 < sum(row.answer[-1:] == (EOS,) for row in rows) < len(rows)
    assert any(one.chosen == one.rejected for pairs in drawn for one in pairs)
    assert 0 < sum(one.baseline == one.chosen for pairs in drawn for one in pairs) < sum(map(len, drawn))
    assert all(len({one.chosen.prompt for one in pairs}) < len(pairs) for pairs in drawn)  # some share a prompt
    assert all(row.answer[-1] == EOS for row in rows_of(random_pairs(0, closed=True)))


@pytest.mark.parametrize("left", [True, False], ids=["padded left", "padded right"])
@pytest.mark.parametrize("name", EVERY)
def test_log_probabilities_are_those_of_a_padded_forward(name, left):
    module = random_model(name)
    for seed in range(2) if left else range(2, 4):
        rows = rows_of(random_pairs(seed))
        got, expected = flat(all_logps(module, rows, pad=PAD)), plain(module, rows, left=left)
        error = largest(got, expected)
        # Where the model itself is as unsteady, twice what its own cache makes of the same rows.
        assert error < 1e-5 or error < 2 * largest(flat(cached_logps(module, row) for row in rows), expected)


def largest(got: list[float], expected: list[float]) -> float:
    return max(abs(ours - theirs) for ours, theirs in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_bfloat16_is_as_close_as_a_padded_forward_in_bfloat16(name):
    half = copy.deepcopy(random_model(name)).to(torch.bfloat16)
    exact = copy.deepcopy(half).float()
    ours, theirs, true = [], [], []
    for seed in range(3):
        rows = rows_of(random_pairs(seed))
        ours += flat(all_logps(half, rows, pad=PAD))
        theirs += plain(half, rows, left=True)
        true += plain(exact, rows, left=True)
    assert 0 < dist(ours, true) < ROUNDING * dist(theirs, true)


def by_hand(module, pairs, *, left):
    """RPO as it is written: -log sigmoid(0.3 margin) - 0.1 log pi of what is imitated, the mean over pairs."""
    sums = torch.stack([one.sum() for one in padded_logps(module, rows_of(pairs), left=left)]).view(-1, 3)
    references = tensor([[one.chosen_reference, one.rejected_reference] for one in pairs])
    ratios = sums[:, :2] - references
    return (-logsigmoid(0.3 * (ratios[:, 0] - ratios[:, 1])) - 0.1 * sums[:, 2]).mean()


def by_the_engine(module, pairs):
    rows = [PairRow(*one[:3], None, *one[3:]) for one in pairs]
    loss = pairwise(
        lambda logps: rpo_loss(logps.chosen, logps.rejected, -logps.baseline, beta=0.3, weight=0.1), pad=PAD
    )
    return loss(module, rows, rows).mean()


@pytest.mark.parametrize("name", EVERY)
def test_a_loss_of_pairs_and_every_gradient_are_those_of_a_padded_forward(name):
    module = random_model(name)
    for seed, left in ((4, True), (5, False)):
        pairs = random_pairs(seed)
        got = Step.of(module, lambda pairs=pairs: by_the_engine(module, pairs))
        expected = Step.of(module, lambda pairs=pairs, left=left: by_hand(module, pairs, left=left))
        assert got.loss == pytest.approx(expected.loss, rel=1e-5)
        assert_same_gradients(got, expected)


def many_alike() -> list[Encoded]:
    """Answers of a group as they are cut at one length, beside others."""
    rng = Random(7)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(rng.randrange(4, 24) for _ in range(count))

    prompts = {ids(13): (4, 4, 4, 1, 7, 7, 2, 2), ids(2): (5, 5), ids(6): (3, 3, 3)}
    return [Encoded(prompt, ids(count)) for prompt, counts in prompts.items() for count in counts]


@pytest.mark.parametrize("name", EVERY)
def test_answers_of_one_length_are_computed_together_and_give_the_same(name):
    module, rows = copy.deepcopy(random_model(name)), many_alike()
    got = Step.of(module, lambda: answer_logps(module, rows, pad=PAD).sums.mean())
    module.zero_grad()
    want = Step.of(module, lambda: torch.stack([one.sum() for one in padded_logps(module, rows, left=True)]).mean())
    assert got.loss == pytest.approx(want.loss, abs=1e-4)
    assert_same_gradients(got, want)
