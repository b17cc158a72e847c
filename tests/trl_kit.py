"""TRL's trainers as an independent judge: what every test against them shares."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch

MARKS = [
    pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed; it is part of operant[dev]"),
    # TRL 1.16 still reads the old name of this setting.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def settings(directory: Any, rows: int) -> dict[str, Any]:
    """Of every trainer's config: plain float32 on the CPU, all rows in one batch."""
    return {
        "output_dir": f"{directory}/out",
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
        "disable_tqdm": True,
        "per_device_train_batch_size": rows,
    }


def whole_batch(trainer: Any) -> Any:
    """All rows of a trainer as it would compute them."""
    rows = trainer.train_dataset
    return trainer.data_collator([rows[place] for place in range(len(rows))])


def move(model: torch.nn.Module) -> None:
    """Step away from the reference, the same way each time; large enough for losses far from log 2."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.1)
