"""`operant train`: what lies beside the product, and what is refused before anything is trained."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

import tiny
from operant.compare import alone
from operant.compare.alone import Aside, merged, run_alone
from operant.compare.model_card import model_card
from operant.compare.options import Options
from operant.compare.products import load_generator
from operant.compare.rows import parse_rows
from operant.compare.tracking import LOG, check_trackers, log_report, tracking
from operant.engine.policy import LanguageModel
from operant.errors import MissingExtra, OperantError, UnknownName
from operant.methods import card
from operant.models.adapters import Lora
from operant.models.loading import Loading
from operant.schema import Decoding, Products


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A model directory and a file of pairs."""
    where = tmp_path_factory.mktemp("user")
    tiny.base().save(where / "model")
    rows = [
        {"prompt": pair.prompt.content, "chosen": pair.chosen.value, "rejected": pair.rejected.value}
        for pair in tiny.graded().resized(pairs=60, test_prompts=4).pairs("train")
    ]
    (where / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return where


def options(data, method: str, **settings) -> Options:
    base = Options(
        methods=(method,), model=str(data / "model"), data=str(data / "pairs.jsonl"), seeds=1, trials=1, max_length=96,
        max_tokens=6, points=1,
    )  # fmt: skip
    return replace(base, **settings)


def trained(data, out, method="dpo", *, aside=None, **settings):
    chosen = options(data, method, **settings)
    (row,) = parse_rows(chosen)
    run_alone(chosen, row, seed=0, out=out, aside=aside or Aside())
    return out


def texts(generator) -> list[str]:
    prompts = tiny.graded().prompts("test")
    return [many[0].value for many in generator.answer(prompts, n=1, decoding=Decoding(temperature=0.0), seed=0)]


def test_a_log_with_trls_names_and_the_cost(data, tmp_path):
    out = trained(data, tmp_path / "out")
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    steps, last = lines[:-1], lines[-1]
    assert [line["step"] for line in steps] == list(range(1, len(steps) + 1))
    named = {"loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/margins",
             "rewards/accuracies"}  # fmt: skip
    assert all(named <= line.keys() for line in steps)
    assert last["step"] == 0 and last["cost/flops"] > 0 and last["cost/labels"] > 0


def test_tensorboard_gets_the_same_values(tmp_path):
    # the event file is read back by tensorboard itself
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tracking(["tensorboard"], tmp_path, {"beta": 0.1}) as sink:
        sink({"loss": 0.5, "rewards/margins": 2.0}, 1)
        sink({"loss": 0.25, "rewards/margins": 3.0}, 2)
    (found,) = tmp_path.rglob("operant/events.out.tfevents.*")
    events = EventAccumulator(str(found.parent)).Reload()
    assert [(one.step, one.value) for one in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]


def test_a_report_goes_to_trackers_under_names_of_what_they_are(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def mean(value):
        return {"mean": value, "low": None, "high": None, "n": 1, "unknown": 0}

    row = {
        "method": "dpo:beta=0.1", "seed": None, "status": "done", "metrics": {"quality": mean(1.5), "x": mean(None)},
        "diversity": {"distinct_1": mean(0.5)}, "kl": {**mean(2.0), "kind": "estimate"}, "proxy": None,
        "length": mean(7.0), "cost": {"training/labels": mean(30.0)},
    }  # fmt: skip
    log_report({"rows": [row, {**row, "seed": 0}]}, ["tensorboard"], tmp_path)
    (found,) = {one.parent for one in tmp_path.rglob("operant/events.out.tfevents.*")}
    events = EventAccumulator(str(found)).Reload()
    assert {name: events.Scalars(name)[0].value for name in events.Tags()["scalars"]} == {
        "gold/quality": 1.5, "diversity/distinct_1": 0.5, "kl/mean": 2.0, "length/mean": 7.0,
        "cost/training/labels": 30.0,
    }  # fmt: skip
    assert "dpo_beta_0.1" in str(found)


def test_trackers_are_checked_before_training():
    with pytest.raises(UnknownName, match="no tracker named 'tensorbord'; did you mean 'tensorboard'"):
        check_trackers(["tensorbord"])
    with pytest.raises(MissingExtra, match="mlflow is not installed"):
        check_trackers(["mlflow"])


def test_a_generator_comes_back_in_the_precision_of_its_run(data, tmp_path):
    out = trained(data, tmp_path / "out", dtype="bfloat16")
    again = load_generator(out)
    assert {weight.dtype for weight in again.module.parameters()} == {torch.bfloat16}
    assert again.loading.dtype == "bfloat16"


def test_adapters_or_merged_weights_give_the_same_answers(data, tmp_path):
    adapter = trained(data, tmp_path / "adapter", lora=4)
    plain = trained(data, tmp_path / "merged", lora=4, aside=Aside(merge=True))
    assert (adapter / "generator" / "adapter_model.safetensors").is_file()
    AutoModelForCausalLM.from_pretrained(plain / "generator")
    assert texts(load_generator(adapter)) == texts(load_generator(plain))
    assert "AutoPeftModelForCausalLM" in (adapter / "generator" / "README.md").read_text()
    assert "AutoPeftModelForCausalLM" not in (plain / "generator" / "README.md").read_text()


def test_a_reward_model_through_adapters(data, tmp_path):
    from operant.rewards.model import RewardModel

    adapter = trained(data, tmp_path / "adapter", "bradley-terry", lora=4)
    plain = trained(data, tmp_path / "merged", "bradley-terry", lora=4, aside=Aside(merge=True))
    pairs = tiny.graded().pairs("test")
    asked = [pair.prompt for pair in pairs], [pair.chosen for pair in pairs]
    ours, theirs = (RewardModel.load(where / "scorer").score(*asked) for where in (adapter, plain))
    assert [one.value for one in ours] == pytest.approx([one.value for one in theirs], abs=1e-5)


def test_nothing_to_merge_is_said(data, tmp_path):
    with pytest.raises(OperantError, match="--merge: nothing was trained through adapters"):
        trained(data, tmp_path / "out", aside=Aside(merge=True))
    assert not (tmp_path / "out").exists()
    with pytest.raises(OperantError):
        merged(Products(generator=tiny.base()))


def test_nothing_is_uploaded_unless_asked_for(data, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(alone, "push", lambda directory, name: sent.append((directory, name)))
    trained(data, tmp_path / "one")
    assert sent == []
    trained(data, tmp_path / "two", aside=Aside(push_to_hub="somebody/something"))
    assert sent == [(tmp_path / "two", "somebody/something")]


def test_the_model_card_says_what_made_it(data, tmp_path):
    out = trained(data, tmp_path / "out", "dpo:beta=0.2")
    written = (out / "generator" / "README.md").read_text()
    for said in (
        "dpo:beta=0.2",
        "beta: 0.2",
        "arXiv:2305.18290",
        "pairs.jsonl",
        "AutoModelForCausalLM",
        "library_name",
    ):
        assert said in written
    about = {"config": {}, "row": "x", "base": 'a "quoted" name', "feedback": "f", "seed": 0, "version": "1"}
    assert 'base_model: "a \\"quoted\\" name"' in model_card(out / "generator", about, card("base"))


def test_bfloat16_keeps_its_precision_through_training(data, tmp_path):
    out = trained(data, tmp_path / "out", dtype="bfloat16")
    config = json.loads((out / "generator" / "config.json").read_text())
    assert config["dtype"] == "bfloat16"


def test_four_bits_need_a_cuda_device_and_adapters(data):
    with pytest.raises(OperantError, match="add --lora RANK"):
        options(data, "dpo", four_bit=True)
    with pytest.raises(OperantError, match="4-bit weights need a CUDA device"):
        LanguageModel.load(data / "model", Loading(four_bit=True, lora=Lora()))
    with pytest.raises(UnknownName, match="no dtype named 'float16'"):
        options(data, "dpo", dtype="float16")
