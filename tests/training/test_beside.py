"""A small net trained along, frozen weights, items in order, bfloat16 over float32 weights."""

import pytest
import torch
from safetensors.torch import load_file

from models.architectures import PAD, random_rows, tiny
from operant.engine.logps import answer_logps
from operant.engine.policy import LanguageModel
from operant.models.adapters import Lora
from operant.models.causal import copy_module
from operant.models.flops import backward_factor
from operant.models.loading import Loading
from operant.models.weights import weights
from operant.training.fit import fit
from operant.training.update import Beside, Schedule, batch_of


def items():
    return [row for row in random_rows(12) if row.answer]


def language_loss(module):
    return lambda part, whole: -answer_logps(module, part, pad=PAD).sums


def test_a_net_beside_is_trained_with_its_own_decay_and_not_kept(tmp_path):
    module, side = copy_module(tiny("llama")[0]), torch.nn.Linear(1, 1, bias=False)
    before = float(side.weight.detach())
    plain = language_loss(module)

    def loss(part, whole):
        return plain(part, whole) + 0.0 * side.weight.sum()

    # no gradient reaches it, so AdamW only decays it: w (1 - lr x decay) at each of 2 steps of rate lr
    schedule = Schedule(steps=2, learning_rate=1e-3, batch_size=4, points=1, warmup=0.0)
    fitted = fit(module, items(), loss, schedule, tmp_path, beside=Beside(module=side, weight_decay=50.0))
    assert float(side.weight.detach()) == pytest.approx(before * (1 - 1e-3 * 50) ** 2, rel=1e-4)
    kept = load_file(fitted.checkpoints[2])
    assert kept.keys() == weights(module).keys()


def test_a_resumed_fit_brings_back_the_net_beside(tmp_path):
    ends = []
    for name, steps in (("whole", (4,)), ("broken", (2, 4))):
        module, side = copy_module(tiny("llama")[0]), torch.nn.Linear(1, 1)
        torch.nn.init.ones_(side.weight), torch.nn.init.zeros_(side.bias)
        plain = language_loss(module)

        def loss(part, whole, side=side, plain=plain):
            lengths = torch.tensor([[float(len(row.answer))] for row in part])
            return plain(part, whole) * (1 + 0.01 * side(lengths).squeeze(-1))

        for stop in steps:
            schedule = Schedule(steps=4, learning_rate=1e-3, batch_size=4, save_every=2)
            calls = iter(range(stop))

            def bounded(part, whole, calls=calls, loss=loss):
                next(calls)
                return loss(part, whole)

            try:
                fit(module, items(), bounded, schedule, tmp_path / name, beside=Beside(module=side))
            except StopIteration:
                continue
        ends.append(float(side.weight.detach()))
    assert ends[0] == ends[1]


def test_items_in_order():
    schedule = Schedule(steps=3, learning_rate=1.0, batch_size=2, shuffled=False)
    assert [batch_of("abcde", schedule, step) for step in range(3)] == [["a", "b"], ["c", "d"], ["e", "a"]]


def test_adapters_train_and_the_rest_stays(tmp_path):
    base = LanguageModel(*tiny("llama"), loading=Loading(lora=Lora(rank=2)))
    policy = base.trainable(seed=0)
    before = {name: value.clone() for name, value in policy.module.state_dict().items()}
    schedule = Schedule(steps=3, learning_rate=1e-2, batch_size=4, points=1)
    fitted = fit(policy.module, items(), language_loss(policy.module), schedule, tmp_path)
    after = policy.module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("lora_" in name for name in changed)
    assert all("lora_" in name for name in load_file(fitted.checkpoints[3]))
    # a checkpoint is the model it was made from
    row = items()[:3]
    again = policy.at(fitted.checkpoints[3])
    with torch.no_grad():
        ours, theirs = (answer_logps(one.module, row, pad=PAD).logps for one in (policy, again))
    assert torch.equal(ours, theirs)


def test_a_backward_pass_through_adapters_costs_less():
    base = LanguageModel(*tiny("llama"), loading=Loading(lora=Lora(rank=2)))
    assert backward_factor(base.module) == 2.0
    policy = base.trainable(seed=0)
    sizes = {name: weight.numel() for name, weight in policy.module.named_parameters() if weight.dim() >= 2}
    share = sum(size for name, size in sizes.items() if "lora_" in name) / sum(sizes.values())
    assert backward_factor(policy.module) == pytest.approx(1 + share)
    assert share < 0.5


def test_bfloat16_trains_float32_weights_to_about_the_same_place(tmp_path):
    ends = {}
    for half in (False, True):
        module = copy_module(tiny("llama")[0])
        schedule = Schedule(steps=20, learning_rate=3e-3, batch_size=4)
        fitted = fit(module, items(), language_loss(module), schedule, tmp_path / str(half), half=half)
        assert all(weight.dtype == torch.float32 for weight in module.parameters())
        ends[half] = fitted.losses
    assert ends[True][-1] < 0.8 * ends[True][0]
    assert ends[True][-1] == pytest.approx(ends[False][-1], rel=0.1)
    assert ends[True] != ends[False]
