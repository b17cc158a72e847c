"""What is charged is what torch counts, within 2%, for every way in which this library runs a model."""

from contextlib import contextmanager

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import MixtralConfig, MixtralForCausalLM

from models.architectures import EOS, PAD, WORDS, random_rows, tiny
from operant.engine.logps import all_kls, all_logps, answer_logps
from operant.engine.reward import all_rewards, reward_scores
from operant.engine.sampler import sample
from operant.meter import metered
from operant.models.flops import forward_flops, matmul_weights
from operant.models.heads import new_reward_head
from operant.schema import Decoding

CASES = [(name, tied) for name in ("llama", "gpt2", "qwen2", "neox") for tied in (True, False)]


@contextmanager
def counted():
    """The meter's cost and torch's counter, over the same block."""
    with FlopCounterMode(display=False) as counter, metered() as cost:
        yield cost, counter


def model(name, *, tied):
    """Eager attention: torch counts its two products as full squares. Wide enough for the weights to dominate."""
    return tiny(name, tied=tied, width=64, eager=True)


@pytest.mark.parametrize("name, tied", CASES)
def test_forward(name, tied):
    module, _ = model(name, tied=tied)
    with counted() as (cost, counter):
        all_logps(module, random_rows(12), pad=PAD)
    assert cost.forward_flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.backward_flops == 0


@pytest.mark.parametrize("name, tied", CASES)
def test_training_step(name, tied):
    module, _ = model(name, tied=tied)
    rows = random_rows(6)
    with counted() as (cost, counter):
        answer_logps(module, rows, pad=PAD).sums.sum().backward()
    module.zero_grad()
    assert cost.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.backward_flops == 2 * cost.forward_flops
    # prompts padded to 40, answers to 10: 6 rows of 50 positions
    assert cost.forward_tokens == cost.backward_tokens == 6 * 50


@pytest.mark.parametrize("tokens", [1, 12], ids=["prefill alone", "prefill and decode"])
@pytest.mark.parametrize("name, tied", CASES)
def test_sampling(name, tied, tokens):
    module, _ = model(name, tied=tied)
    prompts = [(str(place), row.prompt) for place, row in enumerate(random_rows(6))]
    with counted() as (cost, counter):
        drawn = sample(
            module, prompts, n=3, decoding=Decoding(max_tokens=tokens), seed=0, stops=frozenset({EOS}), pad=PAD
        )
    assert cost.forward_flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.sampled_tokens == sum(len(answer.tokens) for many in drawn for answer in many)
    if tokens == 1:
        assert cost.forward_tokens == 6 * 40  # one prefill a prompt, whatever n is


@pytest.mark.parametrize("name, tied", CASES)
def test_reward_head(name, tied):
    module, tokenizer = model(name, tied=tied)
    head = new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))
    head.set_attn_implementation("eager")
    rows = random_rows(6)
    with counted() as (cost, counter):
        all_rewards(head, tokenizer, rows)
    assert cost.forward_flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.reward_calls == 6
    with counted() as (cost, counter):
        reward_scores(head, tokenizer, rows).sum().backward()
    assert cost.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.reward_calls == 0  # a step of training scores nobody


def test_kl_is_charged_for_both_models():
    ours, theirs = model("llama", tied=True).module, model("gpt2", tied=True).module
    rows = random_rows(4)
    with counted() as (cost, counter):
        all_kls(ours, theirs, rows, pad=PAD)
    assert cost.forward_flops == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_by_hand():
    # Llama, width 64, 2 layers, 4 heads of 16, 2 key-value heads, feed-forward 128, 24 words:
    # a layer has q and o of 64 x 64, k and v of 64 x 32, and three of 64 x 128
    module, _ = model("llama", tied=True)
    layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128
    assert matmul_weights(module) == 2 * layer
    # 3 rows of 5 positions that see 9, the head on 7: 2 per weight and position, 4 x width per layer, query and key
    expected = 2 * 2 * layer * 15 + 2 * 4 * 64 * 5 * 9 * 3 + 2 * 64 * (4 + len(WORDS)) * 7
    assert forward_flops(module, rows=3, queries=5, keys=9, head_rows=7) == expected


def test_experts_count_by_the_share_that_runs():
    config = MixtralConfig(
        vocab_size=24, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, num_local_experts=8, num_experts_per_tok=2, attn_implementation="eager",
    )  # fmt: skip
    module = MixtralForCausalLM(config).eval()
    # a layer: attention as above, a router of 64 x 8, and 2 of 8 experts of three 64 x 64
    assert matmul_weights(module) == 2 * (2 * 64 * 64 + 2 * 64 * 32 + 64 * 8 + 2 * 3 * 64 * 64)
