import json
from pathlib import Path

import pytest

HOSTILE = (
    "</script></style><img src=x onerror=alert(1)>\" onload='x' ${7*7}{{7*7}} [link=evil]\x1b[31m\u202egnp\x00 ```\n# |"
)
OURS = {
    "status",
    "verdict",
    "kind",
    "direction",
    "metric",
    "metrics",
    "primary",
    "cost",
    "name",
    "baseline",
}  # our words
THEIRS = {"answers", "measured", "data", "environment", "chosen", "settings", "dropped"}  # maps whose keys are data


def poison(value, key=""):
    """Every string of a report with something hostile behind it; our own words and base keep their meaning."""
    if isinstance(value, dict):
        renamed = {(name + HOSTILE if key in THEIRS and name != "base" else name): name for name in value}
        return {new: poison(value[name], key if name.isdigit() else name) for new, name in renamed.items()}
    if isinstance(value, list):
        return [poison(each) for each in value]
    ours = key in OURS or value == "base"
    return value + HOSTILE if isinstance(value, str) and not ours else value


@pytest.fixture
def sample():
    return json.loads(Path(__file__).with_name("sample.json").read_text(encoding="utf-8"))


@pytest.fixture
def poisoned(sample):
    return poison(sample)


@pytest.fixture
def unknown(sample):
    """The same report, where nobody could measure anything."""
    sample["rows"] = [row | dict.fromkeys(CELLS) | {"metrics": {}, "cost": {}} for row in sample["rows"]]
    sample["slices"] = [each | {"gold": None} for each in sample["slices"]]
    numbers = ("difference", "low", "high", "p", "p_holm", "smallest_visible")
    sample["comparisons"] = [
        each | dict.fromkeys(numbers) | {"verdict": "not comparable"} for each in sample["comparisons"]
    ]
    for series in (*sample["curves"], *sample["best_of_n"]):
        series["points"] = [point | dict.fromkeys(("kl", "gold", "proxy")) for point in series["points"]]
    return sample


CELLS = ("gold", "own_reward", "proxy", "kl", "length", "diversity", "budget_share", "scorer")
