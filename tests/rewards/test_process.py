"""A process reward model: what it reads, one number of its steps, and that it comes back from disk the same."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

import tiny
from operant.engine.step_scores import Stepped, all_steps, step_logits
from operant.engine.token_scores import token_scores
from operant.errors import OperantError, UnknownName
from operant.meter import metered
from operant.models.heads import score_layer
from operant.models.small import small_llama
from operant.models.step_heads import load_step_head, new_step_head
from operant.models.text import Encoded, encode
from operant.rewards.process import ProcessReward
from operant.schema import Answer

PROMPTS = tiny.graded().prompts("test")[:3]
ANSWERS = [Answer(value="the build is satisfactory . the service is agreeable ."), Answer(value="the noise is low"),
           Answer(value="it comes from spain .", finish="length")]  # fmt: skip


def head():
    base = tiny.base()
    return new_step_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(0))


def scorer(**settings):
    return ProcessReward(head(), tiny.base().tokenizer, max_length=96, **settings)


def test_one_chance_a_step():
    found = scorer().steps(PROMPTS, ANSWERS)
    assert [len(steps) for steps in found] == [2, 1, 1]
    assert all(0 < value < 1 for steps in found for value in steps)


def test_it_is_read_where_the_step_is_over():
    # the hidden state that has read the step's last token, alone and without padding, through the score layer
    module, tokenizer = head(), tiny.base().tokenizer
    row = encode(tokenizer, PROMPTS[:1], ANSWERS[:1])[0]
    first = row.answer[: row.answer.index(tokenizer.convert_tokens_to_ids(".")) + 1]
    with torch.no_grad():
        hidden = module.base_model(input_ids=torch.tensor([row.prompt + first])).last_hidden_state[0, -1]
        wanted = score_layer(module)(hidden).sigmoid()
    got = ProcessReward(module, tokenizer, max_length=96).steps(PROMPTS[:1], ANSWERS[:1])[0][0]
    assert_close(torch.tensor([got]), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("how", ["min", "product", "last"])
def test_one_number_of_the_steps(how):
    made = scorer(how=how)
    one, two = made.steps(PROMPTS[:1], ANSWERS[:1])[0]
    score = made.score(PROMPTS[:1], ANSWERS[:1])[0]
    assert score.value == {"min": min(one, two), "product": one * two, "last": two}[how]
    assert score.parts == {"step 1": one, "step 2": two}
    with pytest.raises(UnknownName):
        scorer(how="mean")


def test_company_changes_nothing(tmp_path):
    made = scorer()
    alone = [made.steps([prompt], [answer])[0] for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    for got, wanted in zip(made.steps(PROMPTS, ANSWERS), alone, strict=True):
        assert got == pytest.approx(wanted, abs=1e-5)
    made.save(tmp_path)
    assert ProcessReward.load(tmp_path).steps(PROMPTS, ANSWERS) == made.steps(PROMPTS, ANSWERS)


def test_two_labels_are_a_chance_too():
    # of a softmax over (wrong, right) the chance of right is sigmoid(right - wrong)
    module = head()
    layer = torch.nn.Linear(32, 2)
    module.num_labels, module.config.num_labels = 2, 2
    module.score = layer
    item = Stepped(Encoded((1, 5), (6, 7, 8)), (2,))
    both = token_scores(module, [item.row], pad=0).scores[0, 2]
    assert_close(step_logits(module, [item], pad=0)[0], (both[1] - both[0]).unsqueeze(0))
    assert all_steps(module, [item], pad=0)[0][0] == pytest.approx(float(both.detach().softmax(-1)[1]), abs=1e-6)


def test_other_models_are_refused(tmp_path):
    made = small_llama(["a"], hidden=16, layers=1)
    made.module.save_pretrained(tmp_path)
    with pytest.raises(OperantError, match="AutoModelForTokenClassification|lacks"):
        load_step_head(tmp_path)


def test_it_is_charged():
    with metered() as cost:
        scorer().steps(PROMPTS, ANSWERS)
    assert cost.reward_calls == 3 and cost.forward_flops > 0 == cost.backward_flops
