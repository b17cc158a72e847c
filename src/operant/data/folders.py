"""The rows of a folder: what `save_to_disk` wrote, or data files as the Hugging Face hub lays them out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from operant.data.convert import split_name
from operant.data.files import EXPECTED, SUFFIXES, TABLE_SUFFIXES, UnreadableData
from operant.data.read import read_rows
from operant.data.row import Row

SUFFIX_ORDER = (".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv")  # where two are equally frequent
# JSON beside the data that describes it and holds no rows.
NO_ROWS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json",
           "tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json"}  # fmt: skip


class Part(NamedTuple):
    """One file of a dataset, and the split that its place in the folder names."""

    file: Path
    split: str | None


def read_folder(folder: Path) -> Iterator[Row]:
    """Rows of all files of a dataset folder, in order; `line` counts them from 1 over the whole folder.

    A split that the folder names becomes the row's `split`, unless the row has its own. Memory: as `read_rows`.
    Raises UnreadableData where the folder holds no data.
    """
    parts = _parts(folder)
    if not parts:
        raise UnreadableData(f"{folder} is a directory without data files; expected {EXPECTED}")
    return _rows(parts, str(folder))


def _rows(parts: list[Part], name: str) -> Iterator[Row]:
    number = 0
    for part in parts:
        for row in read_rows(part.file):
            number += 1
            yield numbered(row, name, number, part.split)


def numbered(row: Row, name: str, number: int, split: str | None) -> Row:
    """A row under its number in the whole dataset, with the split of its place where it names none itself."""
    problem = row.problem and replace(row.problem, file=name, line=number)
    notices = tuple(replace(notice, file=name, line=number) for notice in row.notices)
    value = row.value
    if value is not None and split is not None and value.get("split") in (None, ""):
        value = {**value, "split": split}
    return Row(number, value, problem, notices, row.size)


def split_of(name: str) -> str:
    """A split's name as ours where one of its words is known (train_sft is train); else as it is."""
    return next(filter(None, map(split_name, _words(name))), name)


def _words(name: str) -> list[str]:
    return re.split(r"[\W\d_]+", name)


def _parts(folder: Path) -> list[Part]:
    if (folder / "dataset_dict.json").is_file():
        names = _json(folder / "dataset_dict.json").get("splits", [])
        return [Part(file, split_of(name)) for name in names for file in _saved(folder / Path(str(name)).name)]
    if (folder / "state.json").is_file():
        return [Part(file, None) for file in _saved(folder)]
    return _loose(folder)


def _saved(folder: Path) -> list[Path]:
    """The files of one saved dataset, in the order that its state.json gives; names of other folders are cut off."""
    files = _json(folder / "state.json").get("_data_files", [])
    return [folder / Path(str(file["filename"])).name for file in files]


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableData(f"{path} cannot be read ({error}); save the dataset again with save_to_disk") from None
    if not isinstance(value, dict):
        raise UnreadableData(f"{path} holds no object; save the dataset again with save_to_disk")
    return value


def _loose(folder: Path) -> list[Part]:
    """Data files below a folder, of the suffix that most of them have, as the hub's own reader chooses."""
    found = [file for file in sorted(folder.rglob("*")) if _is_data(file, folder)]
    counts = Counter(map(_suffix, found))
    most = max(counts, key=lambda suffix: (counts[suffix], -SUFFIX_ORDER.index(suffix)), default=None)
    return [Part(file, _split_in(file.relative_to(folder))) for file in found if _suffix(file) == most]


def _is_data(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return not hidden and file.name not in NO_ROWS and _suffix(file) in SUFFIX_ORDER and file.is_file()


def _suffix(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix == ".gz" else file.suffix


def _split_in(file: Path) -> str | None:
    """train-00000-of-00001.parquet and train/rows.jsonl are of train; the file's own name comes before its folders'."""
    words = (word for part in reversed(file.parts) for word in _words(part))
    return next(filter(None, map(split_name, words)), None)


assert set(SUFFIX_ORDER) == {*SUFFIXES, *TABLE_SUFFIXES, ".json"}
