"""How a game is solved within a budget: all coalitions where they can be paid for, else orders, else fewer of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from operant.errors import UnknownName, require
from operant.probes.games import Played
from operant.probes.shapley import (
    EXACT,
    Attribution,
    Noise,
    by_permutations,
    by_regression,
    from_all,
    owen_coefficients,
    shapley_coefficients,
)

Rule = Literal["auto", "exact", "permutations", "kernel", "owen"]
DRAWS = 4  # backgrounds that all coalitions are asked under, where they are drawn


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`auto`: exact where all prompts can be paid for, else permutations."""

    rule: Rule
    permutations: int  # of one prompt
    draws: int = 1  # backgrounds under which all coalitions are asked


class Plan(NamedTuple):
    """How each game is solved, how many there are, and what the budget took away."""

    rule: Rule
    prompts: int
    evaluations: int  # of one prompt
    short: str = ""  # why this is less than was wanted


def planned(wanted: Wanted, *, players: int, prompts: int, room: int | None) -> Plan:
    """As many prompts as the budget pays for by the rule that is wanted; where not even two, fewer evaluations.

    Fewer orders come before fewer prompts: prompts differ more than orders do.

    Args: room: evaluations that the budget pays for; None: any number.
    """
    rule = wanted.rule
    orders, least, every = wanted.permutations * (players + 1), 2 * (players + 1), wanted.draws * 2**players
    if rule == "auto":
        rule = "exact" if players <= EXACT and (room is None or room >= prompts * every) else "permutations"
    elif rule in ("exact", "owen"):
        require(players <= EXACT, "parts", players, f"at most {EXACT} with estimator={rule}; use permutations")
    each = every if rule in ("exact", "owen") else orders
    if room is None:
        return Plan(rule, prompts, each)
    if rule == "permutations":
        each = max(least, min(orders, room // prompts))
    if room >= 2 * each:
        return Plan(rule, min(prompts, room // each), each)
    paid = max(least, room // 2)
    kept: Rule = rule if rule == "kernel" else "permutations"
    return Plan(kept, min(prompts, 2), paid, f"the budget pays for {paid} evaluations a prompt and not for {each}")


def solved(
    played: Played, plan: Plan, *, groups: Sequence[Sequence[str]] = (), draws: int = 1, noise: Noise | None = None
) -> Attribution:  # fmt: skip
    """The game's values by the plan.

    Args: groups: names of players that act together, for `owen`; the others stand alone. draws, noise: of `from_all`.
    """
    names = played.game.players
    rng = np.random.default_rng([played.game.seed, len(names)])
    if plan.rule == "permutations":
        return by_permutations(played, len(names), permutations=plan.evaluations // (len(names) + 1), rng=rng)
    if plan.rule == "kernel":
        return by_regression(played, len(names), most=plan.evaluations, rng=rng)
    coefficients = shapley_coefficients(len(names))
    if plan.rule == "owen":
        coefficients = owen_coefficients(len(names), _places(groups, names))
    return from_all(played, len(names), coefficients=coefficients, draws=draws, noise=noise)


def _places(groups: Sequence[Sequence[str]], names: Sequence[str]) -> list[list[int]]:
    for name in (name for group in groups for name in group):
        if name not in names:
            raise UnknownName("part in groups", name, names)
    inside = {name for group in groups for name in group}
    found = [[names.index(name) for name in group] for group in groups]
    return found + [[place] for place, name in enumerate(names) if name not in inside]
