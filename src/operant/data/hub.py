"""Rows of a dataset of the Hugging Face hub, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operant.data.codes import Flaw, shorten
from operant.data.files import EXPECTED, SUFFIXES, TABLE_SUFFIXES, UnreadableData
from operant.data.folders import numbered, split_of
from operant.data.row import Row
from operant.data.tables import as_row

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = {*SUFFIXES, *TABLE_SUFFIXES, ".json", ".gz", ".txt"}


def is_name(path: Path) -> bool:
    """owner/name, where nothing of that name stands on disk and its ending is no file's."""
    return bool(NAME.fullmatch(str(path))) and path.suffix not in FILES and not path.exists()


def read_hub(name: str) -> Iterator[Row]:
    """Every row of every split, streamed, so that nothing is copied into a cache; `line` counts from 1 over all.

    Raises UnreadableData where there is neither a file nor a dataset of that name that can be reached.
    """
    import datasets  # seconds to import: paid for only here

    try:
        loaded = datasets.load_dataset(name, streaming=True)
    except Exception as error:  # the library raises a dozen kinds: no network, no such name, a choice to make
        raise UnreadableData(
            f"{name}: there is neither a file of that name nor a dataset that can be reached "
            f"({type(error).__name__}: {shorten(str(error), 200)}). Expected {EXPECTED}, or owner/name of a dataset "
            "and a connection to the hub"
        ) from error
    return _rows(loaded, name)


def _rows(splits: Mapping[str, Any], name: str) -> Iterator[Row]:
    number = 0
    try:
        for split, rows in splits.items():
            for value in rows:
                number += 1
                yield numbered(as_row(dict(value), name, number), name, number, split_of(split))
    except Exception as error:  # whatever breaks a connection: the rows before it stay, and the loss is said
        flaw = Flaw("corrupt_table", f"the dataset breaks off here: {type(error).__name__}")
        yield Row(number + 1, None, flaw.at(name, number + 1))
