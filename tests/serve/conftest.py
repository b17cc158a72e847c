"""One tiny model, saved, loaded again and served; with a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from operant.engine.policy import LanguageModel
from operant.models.heads import new_reward_head
from operant.models.small import small_llama
from operant.rewards.model import RewardModel
from operant.serve.command import load_app
from serve.running import TEMPLATE, WORDS


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = LanguageModel(*small_llama(WORDS, hidden=32, layers=1, seed=3))
    with torch.no_grad():
        model.module.get_input_embeddings().weight.mul_(4)  # opinions strong enough to differ between prompts
    model.tokenizer.chat_template = TEMPLATE
    path = tmp_path_factory.mktemp("served") / "tiny"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def model(directory: Path) -> LanguageModel:
    return LanguageModel.load(directory)


@pytest.fixture(scope="session")
def reward_directory(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = new_reward_head(model.module, model.tokenizer, rng=torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("reward")
    RewardModel(head, model.tokenizer, max_length=64).save(path / "scorer")
    return path


@pytest.fixture(scope="session")
def app(directory: Path, reward_directory: Path) -> Any:
    return load_app(directory, reward_directory)
