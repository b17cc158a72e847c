"""The rows behind a name: one file, a dataset folder, or a dataset of the hub."""

from collections.abc import Iterator
from pathlib import Path

from operant.data.folders import read_folder
from operant.data.hub import is_name, read_hub
from operant.data.read import read_rows
from operant.data.row import Row


def read_source(path: Path) -> Iterator[Row]:
    """Every row in order. What stands on disk comes before what the hub holds. Raises UnreadableData at once."""
    if path.is_dir():
        return read_folder(path)
    return read_hub(str(path)) if is_name(path) else read_rows(path)
