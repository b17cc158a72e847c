"""Three ways to reduce the surprise at an answer."""

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import tensor
from torch.testing import assert_close

from operant.objectives import answer_nll_batch_mean, answer_nll_mean, answer_nll_sum

# Two answers, of 3 tokens and of 1; the last columns of the second are padding.
LOGPS = tensor([[-1.0, -2.0, -3.0], [-4.0, -99.0, -99.0]])
MASK = tensor([[True, True, True], [True, False, False]])


def test_reductions_by_hand():
    assert_close(answer_nll_sum(LOGPS, MASK), tensor([1.0 + 2 + 3, 4.0]))
    assert_close(answer_nll_mean(LOGPS, MASK), tensor([(1.0 + 2 + 3) / 3, 4.0]))
    # 4 tokens, 2 answers: the batch mean is (6 + 4) / 4 nats per token
    by_batch = answer_nll_batch_mean(LOGPS, MASK, batch_tokens=4, batch_examples=2)
    assert_close(by_batch, tensor([6.0 * 2 / 4, 4.0 * 2 / 4]))
    assert_close(by_batch.mean(), tensor((6.0 + 4.0) / 4))


def test_batch_mean_does_not_depend_on_how_the_batch_is_cut():
    cut = [
        answer_nll_batch_mean(LOGPS[[i]], MASK[[i]], batch_tokens=MASK.sum(), batch_examples=tensor(2)) for i in (0, 1)
    ]
    assert_close(torch.cat(cut).mean(), tensor((6.0 + 4.0) / 4))


@pytest.mark.parametrize(
    "reduce",
    [answer_nll_sum, answer_nll_mean, lambda x, m: answer_nll_batch_mean(x, m, batch_tokens=4, batch_examples=2)],
)
def test_padding_changes_nothing_and_gets_no_gradient(reduce):
    longer = torch.cat([LOGPS, torch.full((2, 2), float("nan"))], 1).requires_grad_()
    mask = torch.cat([MASK, torch.zeros(2, 2, dtype=torch.bool)], 1)
    got = reduce(longer, mask)
    assert_close(got, reduce(LOGPS, MASK))
    got.sum().backward()
    assert (longer.grad[mask] < 0).all() and (longer.grad[~mask] == 0).all()


def test_shapes_are_checked():
    with pytest.raises(TypeCheckError):
        answer_nll_sum(LOGPS, MASK[:, :2])
    with pytest.raises(TypeCheckError):
        answer_nll_sum(LOGPS, MASK.float())
