"""Small files for the tests of the data room."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(rows or bytes, name) -> path. Objects become JSON Lines; bytes are written as they are."""

    def _write(rows: bytes | Iterable[Any], name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(
            rows if isinstance(rows, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        )
        return path

    return _write


def pair(prompt: str = "Which?", chosen: str = "this", rejected: str = "that", **others: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **others}
