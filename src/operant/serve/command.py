"""`operant serve`. Importing this file loads neither torch nor fastapi."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from operant.errors import MissingExtra, OperantError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    model: Annotated[Path | None, typer.Option(help="a model directory, or what `operant train` wrote")] = None,
    reward_model: Annotated[Path | None, typer.Option(help="a reward model directory: serves /get_reward")] = None,
    host: Annotated[str, typer.Option(help="address to listen on; there is no password")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 8000,
    name: Annotated[str | None, typer.Option(help="name of the model [the directory's]")] = None,
) -> None:
    """Serve a checkpoint as an OpenAI-compatible server, or a reward model as OpenRLHF's remote one."""
    if model is None and reward_model is None:
        raise OperantError("nothing to serve; give --model DIR, --reward-model DIR, or both")
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("uvicorn", "serve") from None
    local = host in LOOPBACK
    if not local:
        sys.stderr.write(f"operant: anyone who reaches {host} can use this server; there is no password\n")
    app = load_app(model, reward_model, name=name, local=local)
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False, lifespan="off", ws="none")


def load_app(model: Path | None, reward_model: Path | None, *, name: str | None = None, local: bool = True) -> Any:
    """The application over what the directories hold."""
    import torch

    from operant.rewards.model import RewardModel
    from operant.serve.app import create_app
    from operant.serve.model import Served
    from operant.serve.reward import Rewarded

    torch.set_num_threads(1)  # two collapse when a core is busy
    served = rewarded = None
    if model is not None:
        served = Served(_policy(model), name=name or model.resolve().name)
    if reward_model is not None:
        rewarded = Rewarded(RewardModel.load(_inside(reward_model, "scorer")))
    return create_app(served, rewarded, local=local)


def _policy(directory: Path) -> Any:
    """A model directory, or a method's product whose generator is a plain language model."""
    from operant.compare.products import load_generator
    from operant.engine.policy import LanguageModel

    if not (directory / "product.json").is_file():
        return LanguageModel.load(directory)
    generator = load_generator(directory)
    if not isinstance(generator, LanguageModel):
        raise OperantError(
            f"{directory} steers its model while it answers ({type(generator).__name__}), which this server cannot; "
            "use `operant answer --model`, or serve a method that trains the weights"
        )
    return generator


def _inside(directory: Path, part: str) -> Path:
    """The part of what `operant train` wrote, else the directory itself."""
    return directory / part if (directory / part).is_dir() else directory
