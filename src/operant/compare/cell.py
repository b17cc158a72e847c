"""One row under one seed: tune, run, keep, grade. A cell is a file that is whole or absent."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operant.compare.alone import about
from operant.compare.feedback import has_weights
from operant.compare.grade import grade_generator, grade_scorer, test_pool, training_cost
from operant.compare.products import save_products
from operant.compare.rows import Row, config_json, config_of
from operant.compare.setup import Setup, setup
from operant.compare.tuning import tune
from operant.disk import content_hash, write_json, write_text
from operant.errors import NotApplicable, OperantError
from operant.meter import metered, timed
from operant.methods import load

Tell = Callable[[str], None]
OVER = 1.001  # of the ceiling: rounding, no more; every batch is priced before the first is computed


def cell_path(run: Path, row: Row, seed: int) -> Path:
    return run / "cells" / f"{row.key}-{seed}.json"


def run_cell(run: Path, row: Row, seed: int, tell: Tell) -> None:
    """Everything about one row under one seed, written once. A failure is a result too, with its reason."""
    path = cell_path(run, row, seed)
    with timed() as measured:
        try:
            ready = setup(run, seed)
            found = {"status": "done", "why": "", **_work(ready, row, tell)}
        except NotApplicable as error:
            found = {"status": "not_applicable", "why": str(error)}
        except OperantError as error:
            found = {"status": "failed", "why": str(error)}
        except Exception as error:  # a crash in one method must not take the others with it
            found = {"status": "failed", "why": f"{type(error).__name__}: {error}"}
            write_text(path.with_suffix(".traceback.txt"), traceback.format_exc())
    found |= {"method": row.name, "slug": row.slug, "seed": seed}
    write_json(path, found)
    write_json(path.with_suffix(".measured.json"), asdict(measured))


def _work(ready: Setup, row: Row, tell: Tell) -> dict[str, Any]:
    method = load(row.slug)
    work = ready.run / "work" / f"{row.key}-{ready.seed}"
    tell("tuning")
    tuned = tune(method, row, ready, work)
    config = config_of(method, row, ready.options, small=ready.small, chosen=tuned.chosen)
    tell("running")
    with metered() as training:
        products = ready.made(row, config)
    shown = config_json(config)
    found: dict[str, Any] = {"config": shown, "config_hash": content_hash([row.slug, shown])}
    found |= {"chosen": tuned.chosen, "candidates": tuned.candidates, "tuning": tuned.cost.to_json()}
    found |= training_cost(training, ready) | {"kind": method.card.kind}
    if found["budget_share"] > OVER:
        raise OperantError(f"{row.name} spent {found['budget_share']:.2f} of the ceiling on training; no run may")
    if products.generator is not None:
        tell("answering")
        found |= grade_generator(products.generator, products.own_reward, ready)
    if products.scorer is not None:
        tell("scoring")
        found["scorer"] = grade_scorer(products.scorer, ready)
    if row.slug == "base" and has_weights(ready.base):  # an endpoint is paid for every answer
        found["pool_gold"] = test_pool(ready)["gold"]
    found["findings"] = [asdict(finding) for finding in products.findings]
    tell("saving")
    where = ready.run / "models" / f"{row.key}-{ready.seed}"
    save_products(products, where, about(ready, row, config), method.card)
    shutil.rmtree(work, ignore_errors=True)
    return found
