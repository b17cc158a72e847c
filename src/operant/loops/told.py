"""What rounds of learning showed, as findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from operant.schema import Finding
from operant.stats import cell


def quarters(rounds: Sequence[Mapping[str, Any]], told: Mapping[str, str]) -> list[Finding]:
    """How answers were in the first and in the last quarter of the rounds, with intervals over rounds.

    Args: told: parts of the scores, and what to call each.
    """
    quarter, found = max(1, len(rounds) // 4), []
    for when, some in (("first", rounds[:quarter]), ("last", rounds[-quarter:])):
        for part, what in told.items():
            values = [one["parts"][part] for one in some if part in one["parts"]]
            if values:
                seen = cell(np.array(values))
                low, high = (values[0] if end is None else end for end in (seen.low, seen.high))
                name = f"{what}, {when} quarter of rounds"
                found.append(Finding(name=name, effect=fmean(values), low=low, high=high))
    return found
