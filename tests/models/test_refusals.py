"""What cannot be loaded safely and whole is refused, with an error that names the file and the way out."""

import json
import os
import subprocess
import sys

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, ViTConfig

from models.architectures import tiny
from operant.engine.policy import LanguageModel
from operant.errors import OperantError
from operant.models.causal import load_causal, load_tokenizer, save_causal
from operant.models.heads import load_reward_head, new_reward_head


@pytest.fixture
def saved(tmp_path):
    save_causal(*tiny("llama"), tmp_path / "model")
    return tmp_path / "model"


def test_pickled_weights_are_refused_unread(saved):
    (saved / "model.safetensors").unlink()
    torch.save({"x": torch.zeros(1)}, saved / "pytorch_model.bin")
    for load in (LanguageModel.load, load_causal, load_reward_head):
        with pytest.raises(
            OperantError, match=r"no \*.safetensors weights; pickled weights are refused.*save_pretrained"
        ):
            load(saved)


def test_pickled_weights_beside_safetensors_are_never_opened(saved):
    (saved / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert LanguageModel.load(saved).module.config.model_type == "llama"


@pytest.mark.parametrize("load", [LanguageModel.load, load_causal, load_tokenizer, load_reward_head])
def test_a_directory_without_config(load, saved):
    for name in (
        "config.json",
        "tokenizer_config.json",
    ):  # a tokenizer alone can be read: an adapter's directory has one
        (saved / name).unlink()
    with pytest.raises(OperantError, match=r"model holds no config\.json; expected a Hugging Face model directory"):
        load(saved)


def test_a_broken_config(saved):
    (saved / "config.json").write_text("{")
    with pytest.raises(OperantError, match=r"config\.json is not JSON"):
        LanguageModel.load(saved)


@pytest.mark.parametrize("name", ["/no/such/place", "./nothing", "a/b/c"])
def test_a_path_that_is_not_there(name):
    with pytest.raises(OperantError, match="no model directory"):
        LanguageModel.load(name)


def test_a_directory_without_tokenizer(saved):
    for path in saved.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(OperantError, match=f"no tokenizer could be read from {saved}"):
        LanguageModel.load(saved)


def test_a_tokenizer_without_end(saved):
    words = Tokenizer(WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(saved)
    with pytest.raises(OperantError, match="no end-of-sequence token.*set eos_token in tokenizer_config.json"):
        LanguageModel.load(saved)


def test_a_tokenizer_without_padding_pads_with_its_end(saved):
    words = Tokenizer(WordLevel({"<unk>": 0, "a": 1, "<end>": 2}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<end>").save_pretrained(saved)
    assert load_tokenizer(saved).pad_token_id == 2


def test_remote_code_is_never_asked_for(saved):
    config = json.loads((saved / "config.json").read_text())
    config |= {"model_type": "new-kind", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (saved / "config.json").write_text(json.dumps(config))
    (saved / "code.py").write_text("raise SystemExit('remote code ran')")
    with pytest.raises(OperantError, match="cannot be loaded as AutoModelForCausalLM.*custom code"):
        load_causal(saved)


def test_truncated_weights(saved):
    data = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(OperantError, match="cannot be loaded as AutoModelForCausalLM"):
        load_causal(saved)


def test_weights_that_are_missing_are_not_made_up(saved):
    with pytest.raises(OperantError, match=r"lacks 1 weights of LlamaForSequenceClassification, 'score.weight'"):
        load_reward_head(saved)  # a language model has no score layer
    module, tokenizer = tiny("llama")
    head = new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))
    head.save_pretrained(saved.parent / "head")
    with pytest.raises(OperantError, match="lacks 1 weights of LlamaForCausalLM, 'lm_head.weight'"):
        load_causal(saved.parent / "head")


def test_a_classifier_is_no_reward_model(saved, tmp_path):
    module, tokenizer = tiny("llama")
    head = new_reward_head(module, tokenizer, rng=torch.Generator().manual_seed(0))
    head.config.num_labels = 3
    head.score.weight = torch.nn.Parameter(torch.zeros(3, 32))
    head.save_pretrained(tmp_path / "three")
    with pytest.raises(OperantError, match="a classifier with 3 labels; a reward model has one"):
        load_reward_head(tmp_path / "three")


def test_an_architecture_without_a_classifier():
    class Other:
        config = ViTConfig()

    with pytest.raises(OperantError, match="Other has no sequence classifier"):
        new_reward_head(Other(), tiny("llama").tokenizer, rng=torch.Generator())


def test_telemetry_is_off_before_the_libraries_are_read():
    code = "import operant.models.causal, huggingface_hub.constants as c; print(c.HF_HUB_DISABLE_TELEMETRY)"
    switches = ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")  # this process has them already
    clean = {name: value for name, value in os.environ.items() if name not in switches}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert found.stdout.strip() == "True"
