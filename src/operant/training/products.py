"""Hand over what was trained, and load it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operant.engine.policy import LanguageModel, loading_of
from operant.schema import Policy, Products


def load_policy(config: Any, directory: Path, base: Policy) -> Products:
    """A method whose product is a trained policy and nothing else."""
    assert config is not None
    return Products(generator=LanguageModel.load(directory / "generator", loading_of(base)))
