"""The script that makes checkpoints like a user's own: every architecture at its size, with and without a template."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import AutoModelForCausalLM

from operant.data.records import Record
from operant.models.text import decode

build = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "scripts/build_checkpoint.py")))
RECORD = Record(kind="preference", line=1, prompt="Say hi", chosen="Hi!", rejected="No.")


@pytest.mark.parametrize("architecture", sorted(build.CONFIGS))
def test_an_architecture_has_about_a_million_parameters(architecture):
    module = AutoModelForCausalLM.from_config(build.CONFIGS[architecture](2000))
    assert module.config.model_type == architecture
    assert 0.9e6 < module.num_parameters() < 1.2e6 and module.config.max_position_embeddings == 512


@pytest.mark.parametrize("chat, prompt", [(False, "Say hi"), (True, "<|user|>Say hi<|assistant|>")])
def test_rows_are_learnt_as_they_are_asked(chat, prompt):
    tokenizer = build.train_tokenizer(["Say hi", "Hi! No."] * 3, 300, chat=chat)
    row = build.encoded(tokenizer, RECORD, "chosen", 100)
    ids = row.prompt + row.answer
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == f"{prompt}Hi!</s>"
    assert decode(tokenizer, ids) == "Say hiHi!"  # what the template adds is special, and no answer's text


def test_a_row_is_cut_to_its_length():
    tokenizer = build.train_tokenizer(["Say hi"], 300, chat=False)
    whole, cut = (build.encoded(tokenizer, RECORD, "chosen", length) for length in (100, 3))
    assert (cut.prompt, cut.answer) == (whole.prompt, whole.answer[:2])
