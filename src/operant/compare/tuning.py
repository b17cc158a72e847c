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
from operant.errors import OperantError, offered
from operant.meter import Cost, metered
from operant.schema import Products, Score

SHARE = 0.25  # of the ceiling, for each trial
PROMPTS = 100  # validation prompts that a setting is tried on


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
        return unmetered(lambda: _generator_score(products.generator, setup))
    scorer, pairs = products.scorer, offered(lambda: setup.task.pairs("valid"))
    if scorer is None or not pairs:
        return 0.0  # findings alone, or nothing to try a scorer on: every setting is as good
    asked = ([pair.prompt for pair in pairs], [pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    wins = unmetered(lambda: scorer.compare(*asked))
    return sum(0.5 if win is None else win for win in wins) / len(wins)


def _generator_score(generator: Any, setup: Setup) -> float:
    """The proxy's mean; without a proxy the verifier's; without both the log-likelihood per token of given text."""
    prompts = setup.task.prompts("valid")[:PROMPTS]
    answers = generator.answer(prompts, n=1, decoding=setup.decoding, seed=setup.seed) if prompts else []
    first = [many[0] for many in answers]
    if setup.proxy is not None:
        return _mean(setup.proxy.score(prompts, first))
    verified = offered(lambda: setup.task.verify(prompts, first))
    if verified:
        return _mean(verified)
    given = offered(lambda: setup.task.judged("valid"))[:PROMPTS]
    logps = generator.logps([one.prompt for one in given], [one.answer for one in given]) if given else None
    if not logps:
        raise OperantError("there is neither proxy nor verifier nor given answer to tune by; use --trials 1")
    return sum(map(sum, logps)) / max(1, sum(map(len, logps)))


def _mean(scores: list[Score]) -> float:
    known = [score.value for score in scores if score.value is not None]
    return sum(known) / len(known) if known else float("-inf")
