"""What was measured of a method's claims: evidence/<slug>.json, in the checkout or in the installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operant.disk import read_json

HERE = Path(__file__).parent / "_evidence"  # in a checkout a link to evidence/, in a wheel a copy of it


def read_evidence(slug: str) -> dict[str, Any] | None:
    """Every attempt, oldest first, and the verdict of the last; None where nothing was tried."""
    path = HERE / f"{slug}.json"
    return read_json(path) if path.is_file() else None
