"""What was measured of a method's claims: evidence/<slug>.json, in the checkout or in the installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operant.disk import read_json

PLACES = (Path(__file__).parents[2] / "evidence", Path(__file__).parent / "_evidence")  # checkout, wheel


def read_evidence(slug: str) -> dict[str, Any] | None:
    """Every attempt, oldest first, and the verdict of the last; None where nothing was tried."""
    for place in PLACES:
        path = place / f"{slug}.json"
        if path.is_file():
            return read_json(path)
    return None
