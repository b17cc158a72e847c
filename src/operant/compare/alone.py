"""One method by itself: `operant train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from operant import __version__
from operant.compare.feedback import has_weights
from operant.compare.options import Options
from operant.compare.products import save_products
from operant.compare.rows import Row, config_json, config_of
from operant.compare.setup import Setup, setup
from operant.compare.tracking import tracking
from operant.disk import write_json
from operant.engine.processes import gathered, place, to_own_device, wait
from operant.errors import OperantError
from operant.meter import Cost, metered
from operant.methods import load
from operant.schema import Products
from operant.training.track import watched


@dataclass(frozen=True, kw_only=True)
class Aside:
    """What happens beside the training."""

    report_to: Sequence[str] = ()  # trackers
    merge: bool = False  # save adapters as plain weights
    push_to_hub: str = ""  # "owner/name" to upload the result to; "": nowhere


def run_alone(options: Options, row: Row, *, seed: int, out: Path, aside: Aside) -> Cost:
    """One method at its default settings under the default budget, saved to `out` with a log of its training.

    Several processes work in the first one's folder; it alone writes to `out` and to trackers, and the others wait.
    """
    method = load(row.slug)
    if "max_tokens" in row.settings:  # so long are the answers that the budget is made for
        options = replace(options, max_tokens=row.settings["max_tokens"])
    with TemporaryDirectory() as scratch:
        run, log = gathered(Path(scratch))[0], Path(scratch) / "log"
        write_json(run / "run.json", {"options": options.to_json()})
        ready = setup(run, seed)
        if has_weights(ready.base):
            to_own_device(ready.base.module)
        config = config_of(method, row, options, small=ready.small)
        with (
            tracking(aside.report_to if place().first else (), log, config_json(config)) as sink,
            watched(sink),
            metered() as cost,
        ):
            products = method.run(config, ready.bench(row, run / "work"))
            sink(cost_values(cost), 0)
        if place().first:
            if aside.merge:
                products = merged(products)
            save_products(products, out, about(ready, row, config), method.card, beside=log)
        wait()
    if aside.push_to_hub and place().first:
        push(out, aside.push_to_hub)
    return cost


def about(ready: Setup, row: Row, config: Any) -> dict[str, Any]:
    """What is written beside a saved product."""
    options = ready.options
    feedback = f"embedded task {options.task}" if options.task else Path(str(options.data)).name
    return {
        "slug": row.slug, "row": row.name, "config": config_json(config), "seed": ready.seed,
        "base": options.model or f"operant base of {options.task}", "feedback": feedback, "version": __version__,
        "dtype": options.dtype, "task": options.task, "subject": ready.task.subject,
    }  # fmt: skip


def cost_values(cost: Cost) -> dict[str, float]:
    """Names beside TRL's: cost/*."""
    return {f"cost/{name}": value for name, value in cost.to_json().items()} | {"cost/flops": cost.flops}


def merged(products: Products) -> Products:
    """Adapters as plain weights, where the products have any."""
    parts: dict[str, Any] = {}
    for name in ("generator", "scorer"):
        part: Any = getattr(products, name)
        if getattr(part, "adapter", None) is not None:
            parts[name] = part.merged()
    if not parts:
        raise OperantError("--merge: nothing was trained through adapters; add --lora RANK, or leave --merge out")
    return replace(products, **parts)


def push(directory: Path, name: str) -> None:
    """Upload a saved product to the Hugging Face hub; the token comes from the environment."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(name, private=True, exist_ok=True)
    api.upload_folder(repo_id=name, folder_path=str(directory))
