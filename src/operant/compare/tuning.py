"""Equal tuning: every row gets the same number of trials from its card's grid, chosen on the validation split."""

from __future__ import annotations

import dataclasses
import math
import shutil
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from operant.card import Card, Method
from operant.compare.bench import unmetered
from operant.compare.rows import Row, config_of
from operant.compare.setup import Setup
from operant.disk import content_hash
from operant.errors import OperantError
from operant.meter import Cost, metered
from operant.schema import Products

SHARE = 0.25  # of the ceiling, for each trial


class Tuned(NamedTuple):
    chosen: dict[str, Any]
    candidates: list[dict[str, Any]]  # {"settings", "score"}; score None where the trial failed
    cost: Cost


def grid(card: Card, default: Any, *, trials: int, seed: int) -> list[dict[str, Any]]:
    """At most `trials` points of the card's grid, the default first; "x0.3" means 0.3 times the default."""
    names = list(card.search)
    points = [
        {name: _value(getattr(default, name), choice) for name, choice in zip(names, choices, strict=True)}
        for choices in product(*card.search.values())
    ]
    rest = points[1:]
    if len(rest) > trials - 1:
        Random(f"{card.slug}/{seed}").shuffle(rest)
    return (points[:1] + rest)[:trials]


def _value(default: Any, choice: Any) -> Any:
    return default * float(choice[1:]) if isinstance(choice, str) and choice.startswith("x") else choice


def tune(method: Method, row: Row, setup: Setup, directory: Path) -> Tuned:
    """The best of the trials by the proxy on validation prompts (generators) or validation accuracy (scorers)."""
    default = config_of(method, row, setup.options, small=setup.small)
    free = dataclasses.replace(
        method.card, search={name: v for name, v in method.card.search.items() if name not in row.settings}
    )
    points = grid(free, default, trials=setup.options.trials, seed=setup.seed)
    if len(points) < 2:
        return Tuned({}, [], Cost())
    candidates: list[dict[str, Any]] = []
    total = Cost()
    for point in points:
        where = directory / f"trial-{content_hash(point, length=8)}"
        config = config_of(method, row, setup.options, small=setup.small, chosen=point)
        with metered() as cost:
            try:
                score = _score(method.run(config, setup.bench(row, where, share=SHARE)), setup)
            except OperantError:
                score = None
        total.add(cost)
        candidates.append({"settings": point, "score": score})
        shutil.rmtree(where, ignore_errors=True)
    scores = [-math.inf if one["score"] is None else one["score"] for one in candidates]
    return Tuned(points[scores.index(max(scores))], candidates, total)


def _score(products: Products, setup: Setup) -> float:
    """Higher is better; never gold, never a test prompt."""
    if products.generator is not None:
        return unmetered(lambda: _proxy_mean(products, setup))
    scorer, pairs = products.scorer, setup.task.pairs("valid")
    assert scorer is not None
    asked = ([pair.prompt for pair in pairs], [pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    wins = unmetered(lambda: scorer.compare(*asked))
    return sum(0.5 if win is None else win for win in wins) / len(wins)


def _proxy_mean(products: Products, setup: Setup) -> float:
    prompts = setup.task.prompts("valid")[:100]
    assert products.generator is not None and setup.proxy is not None
    answers = products.generator.answer(prompts, n=1, decoding=setup.decoding, seed=setup.seed)
    scores = setup.proxy.score(prompts, [many[0] for many in answers])
    known = [score.value for score in scores if score.value is not None]
    return sum(known) / len(known) if known else float("-inf")
